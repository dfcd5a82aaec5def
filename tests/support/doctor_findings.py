"""What `analytics-worker doctor` complains about, for the tests of its checks."""

from collections.abc import Iterable

from analytics_worker.doctor import Finding


def problems(findings: Iterable[Finding]) -> dict[str, Finding]:
    """The findings that are not ok, by name; each of them must name its fix."""
    named = {finding.name: finding for finding in findings if finding.level != "ok"}
    assert all(finding.fix for finding in named.values()), "each problem names its fix"
    return named
