"""What reads what: relations, dbt nodes, rules, reports and recipients, and what a broken one reaches."""
