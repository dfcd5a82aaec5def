"""Back up the state of the worker into a folder, and restore it from there (docs/backup.md).

A backup has the schema ``ops``, the database of the Prefect server, report files, kept states of dbt and the login.
"""
