"""Stacks and servers for the tests of this folder."""

from tests.support.guarded_server import bare_server, closed_server
from tests.support.stack import new_stack, running_stack

__all__ = ["bare_server", "closed_server", "new_stack", "running_stack"]
