"""Run the statements of this package.

Reads what the statement reads, and writes what it writes.
"""

from analytics_worker.database.statement_files import StatementFiles

_FILES = StatementFiles(__file__)
run = _FILES.run
with_names = _FILES.with_names
