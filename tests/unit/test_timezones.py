"""Time zones of rules, reports and schedules: IANA names, which PostgreSQL knows as well."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from analytics_worker.timezones import Timezone

ZONE = TypeAdapter[str](Timezone)


@pytest.mark.parametrize(
    "name",
    ["Berlin", "localtime", "posixrules", "Factory", "posix/Europe/Paris", "right/UTC", "leapseconds",
     "tzdata.zi", "Europe", "", "../UTC", "europe/berlin", "UTC\0"],
)  # fmt: skip
def test_what_is_no_iana_name_is_refused_with_an_example(name):
    message = f"{name!r} is not a valid time zone; expected an IANA name such as"
    with pytest.raises(ValidationError, match=re.escape(message)):
        ZONE.validate_python(name)


@pytest.mark.parametrize("name", ["UTC", "Etc/GMT+5", "US/Eastern", "CET", "America/Indiana/Knox"])
def test_every_iana_name_is_a_time_zone(name):
    assert ZONE.validate_python(name) == name
