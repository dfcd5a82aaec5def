"""Report to the server the integrations that are installed beside Prefect.

Reads the metadata of the installed packages and imports none of them.
"""

from importlib.metadata import entry_points

from prefect.client.schemas.objects import Integration

GROUP = "prefect.collections"


def integrations() -> list[Integration]:
    """Name and version of each package that has Prefect blocks, workers or the like."""
    packages = {point.dist.name: point.dist for point in entry_points(group=GROUP) if point.dist}
    return [Integration(name=name, version=package.version) for name, package in packages.items()]
