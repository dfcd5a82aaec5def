"""What can be wrong with a machine that a person can put right. Reads and writes nothing."""


class StackError(Exception):
    """The stack cannot start; the message is one line that names the fix."""
