"""What a person sees while a step runs."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
)
from prefect.client.schemas.objects import Artifact, State
from prefect.settings import PREFECT_API_URL
from rich.console import Console

from ingest.say import Line, Say
from runtime import progress as shown
from runtime.progress import progress

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def step(body: Callable[[Say], None], *, at_once: bool = False) -> State[Any]:
    """A run of one step that tells its progress."""

    @task(name="validate")
    def validate() -> None:
        with progress(at_once=at_once) as say:
            body(say)

    @flow(name="Shown")
    def run() -> None:
        validate()

    options: Any = {"return_state": True}
    return cast("State[Any]", run(**options))


def moving(state: State[Any] | None = None) -> list[Artifact]:
    """The progress artifacts of a run, or of all."""
    flow_run_id = state.state_details.flow_run_id if state else None
    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(
                type=ArtifactFilterType(any_=["progress"]),
                flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]) if flow_run_id else None,
            )
        )


@pytest.fixture
def at_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The artifact moves as often as the step speaks."""
    monkeypatch.setattr(shown, "ARTIFACT_AFTER", 0.0)
    monkeypatch.setattr(shown, "ARTIFACT_EVERY", 0.0)


def test_a_short_step_leaves_nothing() -> None:
    def body(say: Say) -> None:
        for place in range(1000):
            say(f"Judged {place}", place / 1000)

    state = step(body)
    assert state.is_completed()
    assert moving(state) == []


@pytest.mark.usefixtures("at_every_word")
def test_a_long_step_moves_one_artifact_and_ends_at_100() -> None:
    seen: list[Any] = []

    def body(say: Say) -> None:
        for done in (0.25, 0.5, None, 7.0):
            say(f"Judged {done}", done)
            seen.extend(
                one.data for one in moving() if one.description == f"validate: Judged {done}"
            )
        say("Judged all", 0.9)

    (artifact,) = moving(step(body))
    assert seen == [25.0, 50.0, 50.0, 100.0]
    assert (artifact.data, artifact.description) == (100.0, "validate, done: Judged all")
    assert artifact.key == "shown--local--progress"
    assert artifact.task_run_id is not None


@pytest.mark.usefixtures("at_every_word")
def test_a_step_that_fails_stays_where_it_was() -> None:
    def body(say: Say) -> None:
        say("Judged half", 0.5)
        raise ValueError("broken")

    state = step(body)
    assert "broken" in str(state.message)
    (artifact,) = moving(state)
    assert (artifact.data, artifact.description) == (50.0, "validate, failed: Judged half")


@pytest.mark.usefixtures("at_every_word")
def test_an_api_that_does_not_answer_fails_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def unreachable(**_: Any) -> Any:
        asked.append(1)
        raise httpx.ConnectError("nobody there")

    monkeypatch.setattr(shown, "get_client", unreachable)

    def body(say: Say) -> None:
        say("one")
        say("two")

    assert step(body).is_completed()
    assert len(asked) == 1  # and it is not asked again


def test_the_artifact_moves_every_few_seconds_and_not_at_every_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, sent = 0.0, []

    class Client:
        def __enter__(self) -> "Client":
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def create_artifact(self, artifact: Any) -> Any:
            sent.append(artifact.data)
            return SimpleNamespace(id=uuid4())

        def update_artifact(self, _: Any, artifact: Any) -> None:
            sent.append(artifact.data)

    monkeypatch.setattr(shown, "get_client", lambda **_: Client())
    monkeypatch.setattr(shown, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(shown, "ARTIFACT_AFTER", 2.0)
    monkeypatch.setattr(shown, "ARTIFACT_EVERY", 3.0)

    def body(say: Say) -> None:
        nonlocal now
        while now < 10:
            say("Judged some", now / 100)
            now += 0.5

    assert step(body).is_completed()
    assert sent == [2.0, 5.0, 8.0, 100.0]


def test_a_log_has_a_line_every_few_seconds_and_not_every_word(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def body(say: Say) -> None:
        for place in range(100):
            say(f"word {place}", place / 100)

    step(body)
    assert "word" not in caplog.text
    step(body, at_once=True)
    assert re.findall(r"word \d+.*", caplog.text) == ["word 0 (0 %)"]
    monkeypatch.setattr(shown, "LINE_EVERY", 0.0)
    step(body)
    assert len(re.findall(r"word \d+ ", caplog.text)) == 101


@pytest.mark.parametrize("on_terminal", [False, True])
def test_what_is_worth_a_line_is_logged_at_once_and_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    console = Console(file=io.StringIO(), force_terminal=True) if on_terminal else None
    monkeypatch.setattr(shown, "_terminal", lambda: console)

    def body(say: Say) -> None:
        say("word")
        say(Line("They ask to wait"))
        say("word")

    assert step(body).is_completed()
    assert [one.levelname for one in caplog.records if "ask to wait" in one.message] == ["INFO"]
    assert "word" not in caplog.text


SCRIPT = """
from prefect import flow, task
from prefect.logging import get_run_logger
from runtime import progress as shown

shown.BAR_AFTER = shown.BAR_EVERY = shown.LINE_EVERY = 0.0

@task
def validate():
    with shown.progress() as say:
        for place in range(1, 5):
            say(f"Judged [b]{place}[/b]", place / 4)
            get_run_logger().info(f"line {place} of the log")

@flow
def run():
    validate()

run()
"""


def on_a_terminal(script: str, folder: Path) -> str:
    """What a terminal of 100 columns is sent while the script runs."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    ours, theirs = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    sent = b""
    try:
        while block := os.read(ours, 65536):
            sent += block
    except OSError:  # how Linux says that the other side has closed
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0, sent.decode()
    return sent.decode()


def test_a_terminal_shows_a_bar_that_garbles_no_line_of_the_log(tmp_path: Path) -> None:
    sent = on_a_terminal(SCRIPT, tmp_path)
    assert "Judged [b]4[/b]" in sent and "100%" in sent
    # What "erase the line" follows is gone, as is a line that the cursor goes up to for that.
    left = re.sub(r"[^\n]*\n(?:\x1b\[\?25h)?\r\x1b\[1A\x1b\[2K", "", sent)
    left = re.sub(r"[^\n]*\x1b\[2K", "", left)
    left = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", left)
    lines = [line.strip() for line in left.splitlines() if "of the log" in line]
    assert len(lines) == 4
    for place, line in enumerate(lines, 1):
        assert re.fullmatch(rf"\d\d:\d\d:\d\d.*line {place} of the log", line), line
    assert "Judged" not in left  # no line for what the bar shows, and no bar that stays
