"""Run the statements of this package, which only read."""

from analytics_worker.database.statement_files import StatementFiles

run = StatementFiles(__file__).run
