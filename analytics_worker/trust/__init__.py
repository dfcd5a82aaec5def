"""What is known of a relation, report or rule at the moment: how complete, tested and free of incidents it is."""
