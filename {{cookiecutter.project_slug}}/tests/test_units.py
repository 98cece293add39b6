"""What starts server and worker with the machine: rendered, and never written over an edit."""

from __future__ import annotations

import plistlib
import shlex
from pathlib import Path

import pytest

from blueprint import units
from blueprint.project import Problem, Project
from blueprint.units import Unit

HARD = '/a dir/it\'s 100% "mine"\\$HOME/.venv/bin/blueprint'
HERE = Project("http://127.0.0.1:4200/api", Path("/home"))
ELSEWHERE = Project("https://prefect.example/api", Path("/home"))


@pytest.fixture(autouse=True)
def _hard_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_blueprint", lambda: HARD)


def rendered(kind: str, project: Project = HERE, home: str | None = None) -> dict[str, str]:
    return {unit.path.name: unit.text for unit in units.render(kind, project, home, None)}


def of(role: str, files: dict[str, str]) -> str:
    return next(text for name, text in files.items() if f"-{role}." in name)


def test_a_unit_of_systemd_names_the_environments_command_whatever_its_path_is() -> None:
    text = of("worker", rendered("systemd"))
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    # What systemd makes of it: no variable is put in after the colon, %% is a percent sign.
    words = shlex.split(line.removeprefix("ExecStart=:").replace("%%", "%"), posix=True)
    assert words == [HARD, "worker"]
    assert "KillMode=mixed" in text
    server = next(name for name in rendered("systemd") if "-server." in name)
    assert f"Wants={server}" in text


def test_a_property_list_of_launchd_is_one() -> None:
    files = rendered("launchd", home="/some home")
    for role in ("server", "worker"):
        read = plistlib.loads(of(role, files).encode())
        assert read["ProgramArguments"] == [HARD, role, "--log"]
        assert read["EnvironmentVariables"]["PREFECT_HOME"] == "/some home"
        assert read["RunAtLoad"]
        assert f"{read['Label']}.plist" in files


def test_a_line_of_the_procfile_is_one_command_of_the_shell() -> None:
    lines = rendered("procfile")["Procfile"].splitlines()[1:]
    commands = [line.split(": ", 1) for line in lines]
    assert [role for role, _ in commands] == ["server", "worker"]
    for role, command in commands:
        assert shlex.split(command)[-2:] == [HARD, role]


def test_no_server_is_started_for_an_api_elsewhere() -> None:
    for kind in units.KINDS:
        assert "server" not in "".join(rendered(kind, ELSEWHERE)), kind
    assert "Wants=" not in of("worker", rendered("systemd", ELSEWHERE))
    assert "server:" not in rendered("procfile", ELSEWHERE)["Procfile"]


@pytest.mark.parametrize("kind", list(units.KINDS))
def test_what_nobody_edited_is_written_again_and_an_edit_is_not_lost(
    kind: str, tmp_path: Path
) -> None:
    old = units.render(kind, HERE, "/old home", tmp_path)
    new = units.render(kind, HERE, "/new home", tmp_path)
    assert units.write(old, force=False) == [unit.path for unit in old]
    assert units.write(old, force=False) == []
    assert units.write(new, force=False) == [unit.path for unit in new]
    edited = new[-1].path
    edited.write_text(edited.read_text().replace("/new home", "/my home"))
    with pytest.raises(Problem, match=str(edited)):
        units.write(old, force=False)
    assert "/my home" in edited.read_text()
    assert new[0].path.read_text().count("/old home") == 0
    units.write(old, force=True)
    assert [unit.path.read_text() for unit in old] == [unit.text for unit in old]


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    there = tmp_path / "Procfile"
    there.write_text("web: python -m mine\n")
    with pytest.raises(Problem, match="not from here"):
        units.write([Unit(there, "text")], force=False)
    assert there.read_text() == "web: python -m mine\n"


def test_what_to_type_names_the_files_where_they_are(tmp_path: Path) -> None:
    paths = [tmp_path / "a dir" / "x.service"]
    typed = " ".join(units.KINDS["systemd"].then(paths))
    assert shlex.quote(str(paths[0])) in typed
    assert "launchctl bootstrap" in units.KINDS["launchd"].then(paths)[0]
