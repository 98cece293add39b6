"""A server listens where prefect.toml says, and nowhere where nobody would find it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blueprint import serving
from blueprint.project import Problem, Project


def listens_at(monkeypatch: pytest.MonkeyPatch, asked: str, host: str | None) -> str:
    api = SimpleNamespace(host=host or "127.0.0.1", model_fields_set={"host"} if host else set())
    settings: Any = SimpleNamespace(server=SimpleNamespace(api=api))
    monkeypatch.setattr(serving, "get_current_settings", lambda: settings)
    command = serving.server_command(Project(f"http://{asked}:4200/api", Path("home")))
    assert command[-2:] == ["--port", "4200"]
    return command[command.index("--host") + 1]


@pytest.mark.parametrize(
    ("asked", "host", "listens"),
    [
        ("127.0.0.1", "0.0.0.0", "0.0.0.0"),
        ("localhost", "0.0.0.0", "0.0.0.0"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
        ("localhost", None, "localhost"),
        ("[::1]", None, "::1"),
        ("[::1]", "::", "::"),
    ],
)
def test_a_server_listens_at_the_host_that_prefect_toml_gives(
    monkeypatch: pytest.MonkeyPatch, asked: str, host: str | None, listens: str
) -> None:
    assert listens_at(monkeypatch, asked, host) == listens


@pytest.mark.parametrize(
    ("asked", "host"), [("127.0.0.1", "192.168.1.5"), ("[::1]", "0.0.0.0"), ("127.0.0.1", "::")]
)
def test_a_host_at_which_the_projects_own_commands_find_no_server_is_refused(
    monkeypatch: pytest.MonkeyPatch, asked: str, host: str
) -> None:
    with pytest.raises(Problem, match=r"\[server.api\] host in prefect.toml is"):
        listens_at(monkeypatch, asked, host)
