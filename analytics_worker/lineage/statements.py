"""Run the statements of this package.

Reads what the statement reads, and writes what it writes.
"""

from analytics_worker.database.statement_files import StatementFiles

run = StatementFiles(__file__).run
