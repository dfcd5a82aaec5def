"""``analytics-worker deploy``: pools, blocks and deployments. `analytics_worker.deployment.deploy` documents what it writes."""

from typing import Annotated

import typer

from analytics_worker.stack_address import without_login

PoolType = Annotated[
    str | None,
    typer.Option(
        help="Type of the work pools: process, docker or kubernetes. Default: existing pools keep theirs, new ones are process."
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        help="Image of the runs in pools of type docker or kubernetes. Default: analytics-worker."
    ),
]


def deploy(pool_type: PoolType = None, image: Image = None) -> None:
    """Update pools, blocks and deployments of the Prefect API to match prefect.yaml."""
    from analytics_worker.deployment.deploy import deploy as apply_state  # noqa: PLC0415
    from analytics_worker.deployment.deploy import desired_state  # noqa: PLC0415
    from analytics_worker.prefect_support.api_client import api_client  # noqa: PLC0415
    from analytics_worker.stack.registration import summary  # noqa: PLC0415

    state = desired_state(pool_type, image)
    with api_client() as client:
        changes = apply_state(state, client)
        api = without_login(str(client.api_url))
    for change in changes:
        if change.action != "unchanged":
            typer.echo(str(change))
    typer.echo(f"{summary(changes)} on {api}")
