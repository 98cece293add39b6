"""What an update tells holds no secret, does no harm in the order it is printed, and goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from blueprint import cli
from blueprint.updating import afterwards, answers, faults, git, telling, work
from blueprint.updating.answers import Answers
from blueprint.updating.merging import Merge

TOKEN = "ghp_0123456789"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"https://{TOKEN}@github.com/o/t.git", "https://***@github.com/o/t.git"),
        (f"git+https://me:{TOKEN}@host/t", "git+https://***@host/t"),
        (f"https://me:p@{TOKEN}@host/t", "https://***@host/t"),
        (f"https://host/t?private_token={TOKEN}&a=b", "https://host/t?private_token=***&a=b"),
        ("git+ssh://git@host/t@v1", "git+ssh://git@host/t@v1"),
        ("git@github.com:o/t.git", "git@github.com:o/t.git"),
        ("gh:org/template", "gh:org/template"),
        ("/a folder/with@sign", "/a folder/with@sign"),
        (
            f"fatal: unable to access 'https://{TOKEN}@host/t/': failed",
            "fatal: unable to access 'https://***@host/t/': failed",
        ),
    ],
)
def test_an_address_is_shown_without_who_may_read_it(text: str, shown: str) -> None:
    assert git.without_secrets(text) == shown


@pytest.mark.parametrize(
    "said",
    [
        "Unknown revision",
        "Updating a subproject is only supported in git-tracked templates.",
        f"fatal: unable to access 'https://{TOKEN}@host/t/': Could not resolve host: host",
        f"something else about https://{TOKEN}@host/t",
    ],
)
def test_what_is_told_of_a_template_has_no_secret(said: str) -> None:
    known = Answers(f"https://{TOKEN}@host/t", "v1", {})
    told = str(faults.explained(said, known, ""))
    assert TOKEN not in told
    assert "https://***@host/t" in told


def test_the_answers_are_shown_without_the_secret_of_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / answers.NAME
    path.write_text(f"_src_path: https://{TOKEN}@host/t\n_commit: v1\nschedule: x\n", "utf-8")
    monkeypatch.setattr(answers, "PATH", path)
    read = answers.read
    monkeypatch.setattr(answers, "read", lambda: read(path))
    monkeypatch.setattr(telling.show.console, "quiet", True)
    telling.present(as_json=True)
    assert TOKEN not in (printed := capsys.readouterr().out)
    assert '"template": "https://***@host/t"' in printed


def test_a_choice_that_is_none_is_an_answer_that_is_refused() -> None:
    said = "Traceback ...\nValueError: Invalid choice for 'pool': 'x' is not in ['one', 'two']\n"
    assert faults.refused_answer(said) == ("pool", "'x' is not in ['one', 'two']")


def test_a_deployment_is_removed_from_the_old_server_before_the_project_forgets_it() -> None:
    changed = {"prefect_api_url": ("http://old/api", "http://new/api")}
    why, *steps = afterwards.first_steps(changed, "blueprint reconfigure prefect_api_url=...")
    assert "http://old/api" in why
    assert steps[0] == "git restore --staged --worktree ."
    assert "blueprint cleanup" in steps[1]
    assert steps[2] == "blueprint reconfigure prefect_api_url=..."
    assert not any("stash" in one for one in (*steps, *afterwards.next_steps(changed)))
    assert afterwards.first_steps({"schedule": ("1", "2")}, "") == []


def test_redeploy_deploys_also_where_the_answers_are_the_same_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(afterwards, "redeploy", called.append)
    merge = Merge(tmp_path, Answers("x", "v1", {}), Answers("x", "v1", {}))
    for redeploy in (False, True):
        wish = work.Wish("reconfigure", {"work_pool_name": "new"}, redeploy=redeploy)
        work._nothing_to_do(merge, wish)
    assert called == [{"work_pool_name": "new"}]


@pytest.mark.parametrize(
    ("words", "code"), [(["update", "--check", "--jsn"], 1), (["reconfigure", "--jsn"], 2)]
)
def test_a_mistyped_option_is_not_taken_for_a_newer_template(
    monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["blueprint", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
