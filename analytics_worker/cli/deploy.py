"""``analytics-worker deploy``: pools, blocks and deployments. `analytics_worker.deployment.deploy` documents what it writes."""

import typer


def deploy() -> None:
    """Update pools, blocks and deployments of the Prefect API to match prefect.yaml."""
    from prefect import get_client  # noqa: PLC0415  # reads the address that was just chosen

    from analytics_worker.cli.errors import exit_on_error  # noqa: PLC0415
    from analytics_worker.deployment.deploy import deploy as apply_state  # noqa: PLC0415
    from analytics_worker.deployment.deploy import desired_state  # noqa: PLC0415
    from analytics_worker.stack.registration import summary  # noqa: PLC0415

    with exit_on_error():
        state = desired_state()
        with get_client(sync_client=True) as client:
            changes = apply_state(state, client)
            api = client.api_url
    for change in changes:
        if change.action != "unchanged":
            typer.echo(str(change))
    typer.echo(f"{summary(changes)} on {api}")
