"""dbt with less work per node finds the same relations, names the same macros, and drops only unread messages."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.exceptions.compilation import ApproximateMatchError
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.context.macros import MacroNamespace
from dbt_common.events.event_manager import EventManager

from analytics_worker import dbt_tuning

CHANGED = [
    (BaseAdapter, "_make_match"),
    (EventManager, "fire_event"),
    (MacroNamespace, "__getitem__"),
    (MacroNamespace, "__iter__"),
]
SECRETS = ("dbt_common.events.functions", "dbt_common.exceptions.base")


@pytest.fixture(autouse=True)
def tuned(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Tune dbt for one test; the originals by name."""
    originals = {name: getattr(owner, name) for owner, name in CHANGED}
    secrets = [vars(importlib.import_module(module))["env_secrets"] for module in SECRETS]
    monkeypatch.setenv("DBT_ENV_SECRET_PASSWORD", "hunter2hunter2")
    monkeypatch.setattr(dbt_tuning, "_tuned", set())
    dbt_tuning.tune()
    yield originals
    for owner, name in CHANGED:
        setattr(owner, name, originals[name])
    for module, secret in zip(SECRETS, secrets, strict=True):
        vars(importlib.import_module(module))["env_secrets"] = secret


def adapter(*, quotes: bool) -> Any:
    """An adapter without a connection, as far as a lookup needs it."""
    bare: Any = object.__new__(PostgresAdapter)
    quoting = {"database": quotes, "schema": quotes, "identifier": quotes}
    bare.config = type("Config", (), {"quoting": quoting})
    return bare


def match(function: Any, of: Any, relations: list[Any], name: str) -> Any:
    try:
        return [str(one) for one in function(of, relations, "Db", "sch", name)]
    except ApproximateMatchError:
        return "approximate"


@pytest.mark.parametrize("quotes", [True, False])
@pytest.mark.parametrize(
    "name", ["orders", "Orders", "ORDERS", '"orders"', "ünïcode", "other", "ord"]
)
def test_a_lookup_finds_what_dbt_finds(tuned, quotes, name):
    create = BaseRelation.create
    relations = [
        create(database="Db", schema="sch", identifier=one, dbt_created=made)
        for made in (True, False)
        for one in ("orders", "Orders", "Ünïcode", "ünïcode", "orders_2", None)
    ]
    for one in range(len(relations)):
        some = relations[one:]
        expected = match(tuned["_make_match"], adapter(quotes=quotes), some, name)
        assert match(BaseAdapter._make_match, adapter(quotes=quotes), some, name) == expected


def test_macros_have_the_same_precedence(tuned):
    spaces: Any = [{"a": 1}, {"a": 2, "b": 2}, {"b": 3, "c": 3}, {"package": {"d": 4}, "a": 5}]
    root, local, internal, packages = spaces
    names = MacroNamespace(root, local, internal, packages)

    merged = dict(names)

    assert merged == {key: tuned["__getitem__"](names, key) for key in tuned["__iter__"](names)}
    assert names.get("nosuch") is None


def test_only_debug_messages_that_nobody_reads_are_dropped():
    from dbt.adapters.events.types import CacheAction  # noqa: PLC0415
    from dbt.events.types import NodeStart, OpenCommand  # noqa: PLC0415

    seen: list[str] = []
    manager = EventManager()
    manager.add_callback(lambda message: seen.append(message.info.name))

    manager.fire_event(CacheAction(action="x"))
    manager.fire_event(NodeStart())
    manager.fire_event(OpenCommand(open_cmd="x", profiles_dir="y"))

    assert seen == ["NodeStart", "OpenCommand"]


def test_secrets_are_still_replaced():
    from dbt_common.exceptions import DbtRuntimeError  # noqa: PLC0415

    assert "hunter2" not in DbtRuntimeError("login of hunter2hunter2 failed").msg
