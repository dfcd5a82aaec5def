"""The kept state of production: what `--state production` of dbt compares with, and `dbt diff`."""
