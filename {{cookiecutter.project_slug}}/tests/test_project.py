"""The project's settings: one API, one port, and no server that was not meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blueprint import project
from blueprint.project import Problem, Project

TOML = """
home = ".prefect"
[api]
url = "http://127.0.0.1:4999/api"
[server.api]
port = 4999
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(project, "STATE", tmp_path / ".blueprint")
    # Set first, so that what `enter` sets is undone afterwards.
    for name in ("PREFECT_HOME", "PREFECT_API_URL", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prefect.toml").write_text(TOML)
    return tmp_path


def test_the_database_stays_in_the_project_unless_prefect_home_is_set(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.enter().home == root / ".prefect"
    monkeypatch.setenv("PREFECT_HOME", str(root / "some" / "where"))
    assert project.enter().home == root / "some" / "where"
    assert (root / "some" / "where").is_dir()


def test_a_home_that_cannot_be_made_stops_with_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(root / "prefect.toml" / "home"))
    with pytest.raises(Problem, match="Set it to a folder"):
        project.enter()


def test_another_api_in_the_environment_stops(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://other:4200/api")
    with pytest.raises(Problem, match="http://other:4200/api, and prefect.toml says"):
        project.enter()
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4999/api/")
    assert project.enter().api_url == "http://127.0.0.1:4999/api"


def test_another_api_in_dotenv_stops(root: Path) -> None:
    (root / ".env").write_text("PREFECT_API_URL=http://other:4200/api\n")
    with pytest.raises(Problem, match=r"in the file \.env"):
        project.enter()


def test_two_ports_in_the_settings_stop(root: Path) -> None:
    (root / "prefect.toml").write_text(TOML.replace("port = 4999", "port = 4200"))
    with pytest.raises(Problem, match="two ports"):
        project.enter()


@pytest.mark.parametrize("broken", ["[api", "home = '.prefect'"])
def test_settings_that_say_no_api_stop_with_what_to_do(root: Path, broken: str) -> None:
    (root / "prefect.toml").write_text(broken)
    with pytest.raises(Problem, match=r"prefect\.toml"):
        project.enter()


@pytest.mark.parametrize(
    ("url", "local", "ui"),
    [
        ("http://127.0.0.1:4200/api", True, "http://127.0.0.1:4200"),
        ("http://localhost:4200/api", True, "http://localhost:4200"),
        ("https://prefect.example.com/api", False, "https://prefect.example.com"),
        (
            "https://api.prefect.cloud/api/accounts/a/workspaces/w",
            False,
            "https://app.prefect.cloud/account/a/workspace/w",
        ),
    ],
)
def test_only_a_server_on_this_machine_may_be_started(url: str, local: bool, ui: str) -> None:
    one = Project(api_url=url, home=Path("x"))
    assert one.is_local is local
    assert one.ui_url == ui


def test_the_mark_is_made_once_and_stays(root: Path) -> None:
    first = project.mark()
    assert len(first) == 36
    assert project.mark() == first
    assert [path.name for path in (root / ".blueprint").iterdir()] == ["id"]


def test_a_moved_folder_keeps_its_mark_and_a_copy_gets_its_own(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark_in(folder: Path) -> str:
        monkeypatch.setattr(project, "ROOT", folder)
        monkeypatch.setattr(project, "STATE", folder / ".blueprint")
        return project.mark()

    first = mark_in(root)
    (root / ".blueprint" / "server.json").write_text("{}")
    copied = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(root, copied)
    second = mark_in(copied)
    assert second != first
    # The processes that the original started are not the copy's to stop.
    assert not (copied / ".blueprint" / "server.json").exists()
    assert mark_in(root) == first
    assert (root / ".blueprint" / "server.json").exists()
    moved = copied.rename(copied.with_name("moved"))
    assert mark_in(moved) == second
    assert mark_in(moved) == second


def test_a_folder_on_another_machine_has_another_mark_and_each_machine_keeps_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark_on(machine: str) -> str:
        monkeypatch.setattr(project, "machine", lambda: machine)
        return project.mark()

    here = mark_on("0a1b2c3d4e5f")
    (root / ".blueprint" / "worker.json").write_text("{}")
    # What `rsync` brings to the other machine is all that is here, at the same path.
    there = mark_on("ffffffffffff")
    assert there != here
    assert not (root / ".blueprint" / "worker.json").exists()
    # Nor do two machines that share the folder take turns in making it another project.
    (root / ".blueprint" / "worker.json").write_text("{}")
    assert [mark_on("0a1b2c3d4e5f"), mark_on("ffffffffffff")] == [here, there]
    assert (root / ".blueprint" / "worker.json").exists()


def test_a_mark_from_before_it_named_a_machine_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".blueprint").mkdir()
    (root / ".blueprint" / "id").write_text(f"the mark\n{root}\n")
    for machine in ("", "0a1b2c3d4e5f", ""):
        monkeypatch.setattr(project, "machine", lambda machine=machine: machine)
        assert project.mark() == "the mark"
    monkeypatch.setattr(project, "machine", lambda: "ffffffffffff")
    assert project.mark() != "the mark"


def test_a_machine_is_known_by_its_own_id_and_containers_of_one_image_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blueprint import machine

    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(machine, "_CONTAINER", ())
    found = []
    for told in ("3d1219c7", "4e232ad8", "4e232ad8", "uninitialized", ""):
        (tmp_path / "id").write_text(f"{told}\n")
        monkeypatch.setattr(machine, "_LINUX", (str(tmp_path / "none"), str(tmp_path / "id")))
        found.append(machine.machine.__wrapped__())
    assert found[0] != found[1] == found[2]
    assert len(found[1]) == 12
    assert found[3:] == ["", ""]
    (tmp_path / "id").write_text("3d1219c7\n")
    monkeypatch.setattr(machine, "_CONTAINER", (str(tmp_path),))
    assert machine.machine.__wrapped__() == ""
