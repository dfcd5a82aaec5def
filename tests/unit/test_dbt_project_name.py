"""The name of a dbt project names the folder of its kept states, also where its file is not valid."""

import pytest

from flows.dbt.state.folder import project_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"name: shop", "shop"),
        ("name: ünïcode".encode(), "ünïcode"),
        (b"name: ../../etc", "______etc"),
        (b"seeds: broken: [", "folder"),  # dbt names the line
        (b"- a list", "folder"),
        (b"\xff\xfe", "folder"),
    ],
)
def test_the_folder_names_a_project_without_a_valid_file(tmp_path, text, name):
    project = tmp_path / "folder"
    project.mkdir()
    (project / "dbt_project.yml").write_bytes(text)
    assert project_name(project) == name
