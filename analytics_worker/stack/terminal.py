"""Show the start of the stack: one line for each step, and its progress below.

Writes to the terminal; plain lines where there is none.
"""

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from analytics_worker import log_format
from analytics_worker.text import printable

FILE_WIDTH = 180  # where there is no terminal with a width
NARROW = 110
STYLES = {"ok": "green", "failed": "bold red", "note": "yellow"}


class Terminal:
    """The lines of one start."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
        self._busy: dict[str, str] = {}
        self._is_written = True
        self._status = self.console.status("") if self.console.is_terminal else None

    def step(self, name: str, text: str, style: str = "ok") -> None:
        """A finished step."""
        self._print(f"[{STYLES[style]}]{name:<12}[/] {plain(text)}", soft_wrap=True)

    def say(self, text: str) -> None:
        """An event that no command caused."""
        self._print(f"[{STYLES['note']}]![/] {plain(text)}", soft_wrap=True)

    def inform(self, text: str) -> None:
        """What to know about what starts."""
        self._print(plain(text), soft_wrap=True)

    def _print(self, text: str | Table, *, soft_wrap: bool = False) -> None:
        """Print; what can't be written, on a full disk for example, does not stop the stack."""
        try:
            self.console.print(text, soft_wrap=soft_wrap)
        except OSError as error:
            if self._is_written:
                fail(f"The output can't be written: {error.strerror}; the stack continues")
            self._is_written = False

    def _print_table(self, table: Table) -> None:
        """Print; without the blanks that fill the last column where the output is a file."""
        if self.console.is_terminal:
            self._print(table)
            return
        text = StringIO()
        Console(file=text, width=self.console.width, highlight=False).print(table)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        self._print("\n".join(map(escape, lines)), soft_wrap=True)

    def busy(self, name: str, text: str) -> None:
        """Show the progress of a step; repeated calls replace it."""
        self._show({**self._busy, name: text})

    def idle(self, name: str) -> None:
        """The step is doing nothing any more."""
        self._show({key: text for key, text in self._busy.items() if key != name})

    @contextmanager
    def doing(self, name: str, text: str) -> Generator[None]:
        """Show the text while the block runs."""
        self.busy(name, text)
        try:
            yield
        finally:
            self.idle(name)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        long: str = "",
        named: str = "",
    ) -> None:
        """A table whose cells may use markup.

        Args:
            title: What stands above it.
            columns: Their headings.
            rows: Their cells.
            long: A column that a narrow terminal has no room for: its texts stand below the table.
            named: The column that identifies the row of a text.
        """
        rows = [[printable(cell) for cell in row] for row in rows]
        moved = columns.index(long) if long and self.console.width < NARROW else len(columns)
        table = Table(
            title=title, title_justify="left", title_style="bold", pad_edge=False, box=None
        )
        for number, column in enumerate(columns):
            if number != moved:
                table.add_column(column, overflow="fold", no_wrap=column == (named or columns[0]))
        for row in rows:
            table.add_row(*(cell for number, cell in enumerate(row) if number != moved))
        self._print_table(table)
        for row in rows if moved < len(columns) else ():
            if row[moved]:
                self._print(f"  [bold]{row[columns.index(named)]}[/]: {row[moved]}")

    def _show(self, busy: dict[str, str]) -> None:
        self._busy = busy
        if self._status is None:
            return
        if busy:
            self._status.update(" · ".join(plain(text) for text in busy.values()))
            self._status.start()
        else:
            self._status.stop()


class JsonTerminal(Terminal):
    """The lines of one start as JSON: a line for each step, event and row of a table."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    @override
    def step(self, name: str, text: str, style: str = "ok") -> None:
        level = "ERROR" if style == "failed" else "INFO"
        log_format.emit(level, self._process, f"{name}: {text}", step=name)

    @override
    def say(self, text: str) -> None:
        log_format.emit("WARNING", self._process, text)

    @override
    def inform(self, text: str) -> None:
        log_format.emit("INFO", self._process, text)

    @override
    def busy(self, name: str, text: str) -> None:
        """Say nothing: the step has a line when it is done."""

    @override
    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        long: str = "",
        named: str = "",
    ) -> None:
        for row in rows:
            cells = [Text.from_markup(printable(cell)).plain for cell in row]
            named_cells = zip(columns, cells, strict=True)
            text = ", ".join(f"{column} {cell}".strip() for column, cell in named_cells if cell)
            log_format.emit("INFO", self._process, f"{title}: {text}")


def stack_terminal(process: str = "up") -> Terminal:
    """Return where this process shows the steps of a start, in the format of LOG_FORMAT."""
    return JsonTerminal(process) if log_format.is_json() else Terminal()


def plain(text: str) -> str:
    """Return the text for a place that takes markup: shown as it is, and nothing else."""
    return escape(printable(text))


def fail(message: str) -> None:
    """One line on standard error."""
    if log_format.is_json():
        log_format.emit("ERROR", "up", message)
        return
    Console(stderr=True, highlight=False, soft_wrap=True, no_color=not sys.stderr.isatty()).print(
        f"[bold red]error:[/] {plain(message)}"
    )
