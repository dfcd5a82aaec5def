"""Define errors of the machine that the user can fix. Reads and writes nothing."""


class StackError(Exception):
    """The stack cannot start; the message is one line that names the fix."""
