"""Check the syntax of user templates, and insert the counting of their steps.

Reads and writes nothing. The tree of a template is checked against an allow list of nodes. Each loop,
literal, comparison and joining is wrapped in a filter that counts and that no template can name.
"""

from math import isfinite
from typing import Any

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer
from typing_extensions import override

from analytics_worker.user_templates.budget import check_integer
from analytics_worker.user_templates.filters import MARKUP
from analytics_worker.user_templates.values import UserTemplateError

MAX_DEPTH = 50
ITERATE, VALUE, COUNT, CONCAT = "counted items", "checked value", "counted value", "joined values"

_ALLOWED = frozenset({
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const,
    nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter,
    nodes.Test, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Call, nodes.Concat, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg, nodes.Pos,
})  # fmt: skip
_ESCAPED = "values are escaped in HTML, always; write the markup into the template itself"


def count_steps(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """Return the tree with filters that count its steps.

    Raises:
        UserTemplateError: it contains a node that templates may not have.
    """
    return _StepCounting(environment).visit(tree)


class _StepCounting(NodeTransformer):
    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._depth = 0

    @override
    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Check a node and its children, and add the counting."""
        _check(node)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refused(node, f"more than {MAX_DEPTH} nested levels")
        self.generic_visit(node)
        self._depth -= 1
        return self._counted(node)

    def _counted(self, node: nodes.Node) -> nodes.Node:
        """Return the node, wrapped in a filter unless Jinja's sandbox calls the environment for it."""
        match node:
            case nodes.For():
                node.iter = self._wrap_in_filter(ITERATE, node.iter)
                return node
            case nodes.Concat():
                return self._wrap_in_filter(CONCAT, nodes.List(node.nodes, lineno=node.lineno))
            case nodes.Compare():
                return self._wrap_in_filter(COUNT, node)
            case nodes.List() | nodes.Dict() | nodes.Tuple(ctx="load"):
                return self._wrap_in_filter(VALUE, node)
            case nodes.Getitem(arg=nodes.Slice()):
                node.node = self._wrap_in_filter(COUNT, node.node)
                return self._wrap_in_filter(VALUE, node)
            case _:
                return node

    def _wrap_in_filter(self, name: str, node: Any) -> nodes.Filter:
        wrapped = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
        wrapped.set_environment(self._environment)
        return wrapped


def _check(node: nodes.Node) -> None:
    match node:
        case nodes.Scope():
            raise _refused(node, f"autoescape can't be changed: {_ESCAPED}")
        case nodes.Filter(name=str(name)) if name in MARKUP:
            raise _refused(node, f"no filter {name!r} found: {_ESCAPED}")
        case nodes.For(recursive=True):
            raise _refused(node, "a loop can't be recursive")
        case nodes.Const(value=float(value)) if not isfinite(value):
            raise _refused(node, "a number is too large")
        case nodes.Const():
            check_integer(node.value)
        case _ if type(node) not in _ALLOWED:
            raise _refused(node, "only if, for and expressions are allowed")
        case _:
            pass


def _refused(node: nodes.Node, problem: str) -> UserTemplateError:
    return UserTemplateError(f"template: {problem} (line {node.lineno})")
