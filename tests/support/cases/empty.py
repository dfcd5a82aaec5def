"""Nothing: a run of it costs what any run costs."""

from prefect import flow


@flow
def empty() -> None:
    pass
