"""A backup that was changed, is damaged or newer is refused before anything is changed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from analytics_worker.settings import settings
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support.attacks import attack
from tests.support.backups import change_manifest, command, fill, rows, succeed
from tests.support.postgres import administer, database_on


@pytest.fixture(scope="module")
def whole(postgres, template_database, tmp_path_factory):
    """A database with rows, and a backup of it, for tests that change neither."""
    names = {"name": "whole_backup", "owner": OWNER, "template": template_database}
    administer(postgres, "create database {name} owner {owner} template {template}", **names)
    url = database_on(postgres, names["name"])
    fill(url)
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setenv("PREFECT_HOME", str(folder / "home"))
        patch.setenv("STATE_DIR", str(folder / "state"))
        settings.cache_clear()
        succeed("backup", folder / "saved")
        settings.cache_clear()
        yield url, folder / "saved"


def damaged(folder: Path) -> None:
    path = folder / json.loads((folder / "manifest.json").read_text())["ops"]["tables"][2]["file"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def shortened(folder: Path) -> None:
    os.truncate(folder / "ops/0001.copy.gz", 3)


def deleted(folder: Path) -> None:
    (folder / "ops/0001.copy.gz").unlink()


def linked(folder: Path) -> None:
    shutil.move(folder / "ops/0001.copy.gz", folder / "ops/other")
    (folder / "ops/0001.copy.gz").symlink_to(folder / "ops/other")


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def edited(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 8', '"rows": 9'))


def half(folder: Path) -> None:
    os.truncate(folder / "manifest.json", 100)


def newer_format(folder: Path) -> None:
    change_manifest(folder, lambda content: content.update(format=2, version="9.0.0"))


def newer_revision(folder: Path) -> None:
    change_manifest(folder, lambda content: content["ops"].update(revision="9999_next"))


def other_database(folder: Path) -> None:
    change_manifest(folder, lambda content: content["ops"].update(database='shop"; drop'))


def escaping(folder: Path) -> None:
    entry = {"bytes": 0, "sha256": "0" * 64}
    change_manifest(folder, lambda content: content["files"].update({"reports/../../x": entry}))


def unlisted(folder: Path) -> None:
    change_manifest(folder, lambda content: content["files"].pop("ops/0001.copy.gz"))


def another_file(folder: Path) -> None:
    (folder / "reports").mkdir()
    shutil.copyfile(folder / "manifest.json", folder / "reports/.bashrc")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (folder / "reports/.bashrc").write_bytes(b"")
    entry = {"bytes": 0, "sha256": empty}
    change_manifest(folder, lambda content: content["files"].update({"reports/.bashrc": entry}))


REFUSED = {
    damaged: "checksum differs",
    shortened: "it has 3 bytes",
    deleted: "it is missing",
    linked: "it is missing",
    without_manifest: "was not finished",
    edited: "its checksum differs",
    half: "it is not JSON",
    newer_format: "newer version (9.0.0)",
    newer_revision: "revision '9999_next'",
    other_database: "--other-database",
    escaping: "is not a file of a backup",
    unlisted: "ops/0001.copy.gz has no checksum",
    another_file: "is not a name of a report file",
}


@attack(
    by="local user",
    what="Restore a backup that was changed, or whose names lead out of its folder",
    answer="Refused before anything is changed",
)
@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_backup_that_is_not_right_is_refused(whole, tmp_path, change):
    url, original = whole
    saved = Path(shutil.copytree(original, tmp_path / "saved"))
    before = rows(url)
    change(saved)
    result = command("restore", saved, "--replace")
    assert (result.exit_code, result.stdout) == (1, "")
    assert REFUSED[change] in result.stderr
    assert "nothing was changed" in result.stderr or change is newer_format
    assert rows(url) == before
