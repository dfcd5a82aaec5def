"""What is recorded about each node: its owner, relation and SQL, its usual duration, its history."""
