"""``analytics-worker channels``: list the channels, and send a test message through one.

Reads the settings, the blocks of the Prefect API and the outbox; writes nothing.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from analytics_worker.cli.output import echo
from analytics_worker.cli.shell import Shell

if TYPE_CHECKING:
    from analytics_worker.delivery.overview import ChannelOverview

channels = typer.Typer(
    cls=Shell, help="List the channels that messages are sent through, or test one."
)

RESTART = "Workers read .env when they start: restart those that started before it was corrected."

COLUMNS = (
    "channel",
    "kind",
    "target",
    "rate",
    "waiting",
    "last success (UTC)",
    "last failure (UTC)",
    "state",
)


@channels.callback(invoke_without_command=True)
def list_channels(context: typer.Context) -> None:
    """List the channels that messages are sent through, or test one."""
    if context.invoked_subcommand is not None:
        return
    # --help answers at once, and Prefect reads the address that was chosen
    from analytics_worker.database.connections import warehouse  # noqa: PLC0415
    from analytics_worker.delivery.overview import channel_overviews  # noqa: PLC0415

    stored, problem = _stored()
    with warehouse() as connection:
        overviews = channel_overviews(connection, stored)
    if overviews:
        _print(overviews)
    elif not problem:
        echo("No channel is configured: set ALERT_EMAIL_*, ALERT_WEBHOOK_URL or ALERT_SLACK_URL.")
    if problem:
        echo(f"Channel blocks are missing from this list: {problem}")
        raise typer.Exit(1)


def _stored() -> tuple[list[str], str]:
    """Return the names of the channel blocks, or why they can't be read."""
    from analytics_worker.delivery.overview import stored_channels  # noqa: PLC0415
    from analytics_worker.delivery.routing import ChannelUnavailableError  # noqa: PLC0415

    try:
        return stored_channels(), ""
    except ChannelUnavailableError as error:
        return [], str(error)


def _print(overviews: list["ChannelOverview"]) -> None:
    from analytics_worker.stack.terminal import Terminal, plain  # noqa: PLC0415

    rows = [[plain(cell) for cell in _cells(each)] for each in overviews]
    Terminal().table("Channels", COLUMNS, rows, long="state", named="channel")


def _cells(channel: "ChannelOverview") -> tuple[str, ...]:
    return (
        channel.name,
        channel.kind,
        channel.target,
        channel.rate,
        str(channel.waiting),
        _when(channel.last_success),
        _when(channel.last_failure),
        _state(channel),
    )


def _state(channel: "ChannelOverview") -> str:
    """Return why the channel can't be used now, else its last error unless it works again."""
    if channel.problem:
        return channel.problem
    if channel.waiting and channel.waits_for:
        return f"messages wait: {channel.waits_for} {RESTART}"
    if channel.paused_until:
        return f"paused until {_when(channel.paused_until)}: {channel.last_error or 'rate limited'}"
    if channel.last_error and not channel.works_again:
        return f"last error: {channel.last_error}"
    return "ready"


def _when(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}" if instant else "never"


@channels.command("test")
def send_test_message(
    name: Annotated[str, typer.Argument(help="The channel's name.")],
    to: Annotated[
        str | None, typer.Option(help="An address of an email channel in place of its own.")
    ] = None,
) -> None:
    """Send a test message to the recipients of a channel now; 1 if one did not get it."""
    from analytics_worker.delivery.channel_test import send_test  # noqa: PLC0415

    results = send_test(name, to)
    for recipient, result in results:
        echo(f"{recipient.address}: {result.detail if result.status != 'sent' else 'sent'}")
    if any(result.status != "sent" for _, result in results):
        raise typer.Exit(1)
