"""Report the error of a command: one line on standard error, exit code 1. Reads and writes nothing else."""

from collections.abc import Generator
from contextlib import contextmanager

import typer
from httpx import HTTPError
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy.exc import OperationalError

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_client import (
    ApiUnavailableError,
    refusal_message,
    unavailable_message,
)
from analytics_worker.stack.errors import StackError
from analytics_worker.text import printable


@contextmanager
def exit_on_error() -> Generator[None]:
    """Print an error that the user can fix as one line."""
    try:
        yield
    except (StackError, PermanentError, ApiUnavailableError) as error:
        message = str(error)
    except PrefectHTTPStatusError as error:
        refused = f"The Prefect API refused: {str(error).splitlines()[0]}"
        message = refusal_message(error) or refused
    except HTTPError as error:
        message = unavailable_message(error)
    except OperationalError as error:
        message = f"The database does not answer: {str(error.orig).strip().splitlines()[0]}"
    else:
        return
    typer.secho(f"error: {printable(message)}", err=True, fg="red")
    raise typer.Exit(1)
