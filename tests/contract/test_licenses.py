"""Every locked package has a license that was decided on, and the page says which."""

from analytics_worker.documentation.licenses import ACCEPTED, Package, not_accepted, packages, page
from analytics_worker.settings import project_root


def test_the_page_is_up_to_date():
    written = (project_root() / "docs" / "licenses.md").read_text()
    assert written == page(), "run `python -m analytics_worker.documentation.licenses`"


def test_every_license_was_decided_on():
    assert not_accepted(packages()) == []


def test_a_license_of_one_package_is_none_for_others():
    others = [
        Package("left-pad", "1", "GPL-3.0-only", "runtime"),
        Package("left-pad", "1", "LGPL-3.0-or-later", "runtime"),
        Package("left-pad", "1", "not installed", "runtime"),
    ]
    assert len(not_accepted(others)) == len(others)


def test_no_license_is_accepted_that_binds_the_whole_work():
    assert not [name for name in ACCEPTED if name.startswith(("GPL", "AGPL", "LGPL", "SSPL"))]


def test_what_every_package_is_for_is_known():
    kinds = {package.name: package.kind for package in packages()}
    assert (kinds["sqlalchemy"], kinds["pyarrow"], kinds["botocore"], kinds["pytest"]) == (
        "runtime",
        "parquet",
        "s3",
        "dev",
    )
