"""Stacks for the tests of this folder."""

from tests.support.stack import new_stack, running_stack

__all__ = ["new_stack", "running_stack"]
