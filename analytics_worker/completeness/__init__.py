"""Find through which instant the data of each relation is complete."""
