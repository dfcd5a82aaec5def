"""What trust.yml promises of a relation (columns, types, keys, accepted values), and whether it holds."""
