"""What copier renders is what cookiecutter stamps: the same files, questions, defaults and slugs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from questions import ASKED, COPIER, HOSTILE, QUESTIONS, TABLE, VERSION, answers_file, noted
from slugify import slugify

MATRIX: list[dict[str, Any]] = [
    {"project_slug": "enterprise-data-pipeline"},
    *({**answers, "project_slug": "hostile"} for answers in HOSTILE),
    {
        "project_name": "yes",
        "project_slug": "0123",
        "work_pool_name": "0x1F",
        "schedule": "*/15 8-18 * * MON-FRI",
        "timezone": "Asia/Kolkata",
        "source_url": "s3://bucket/it's @home/数据.json",
        "prefect_api_url": "https://api.prefect.cloud/api/accounts/0b0e/workspaces/1c1d",
        "create_venv": False,
    },
    {
        "project_name": "x" * 200,
        "project_slug": "y" * 100,
        "work_pool_name": "'" * 200,
        "source_url": "https://example.com/a?b=c&d='e'#" + "f" * 2000,
    },
    {"project_name": "~", "project_slug": "A.b_c-1", "work_pool_name": "null: [a, *b] | c"},
]


def render(template: Path, folder: Path, answers: dict[str, Any]) -> Path:
    """What copier writes for these answers."""
    copier.run_copy(str(template), folder, data=answers, defaults=True, quiet=True)
    return folder


def contents(project: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of each file of a project, save what is read as data."""
    return {
        path.relative_to(project).as_posix(): (path.stat().st_mode, path.read_bytes())
        for path in project.rglob("*")
        if path.is_file() and path.name != ".copier-answers.yml"
    }


@pytest.mark.parametrize("answers", MATRIX, ids=lambda answers: answers["project_slug"][:20])
def test_both_tools_write_the_same_files_byte_for_byte_and_mode_for_mode(
    released: Path, stamp_from: Callable[..., Path], tmp_path: Path, answers: dict[str, Any]
) -> None:
    stamped = stamp_from(str(released), tmp_path / "stamped", answers=answers)
    rendered = render(released, tmp_path / "rendered", {"create_venv": False} | answers)
    one, other = contents(stamped), contents(rendered)
    assert len(one) > 200 and list(one) == list(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert noted(stamped) == noted(rendered)
    wanted = {key: QUESTIONS[key] for key in ASKED} | {"create_venv": False} | answers
    assert list(noted(stamped)) == ["_commit", "_src_path", *ASKED]
    assert noted(stamped) == wanted | {
        "_commit": f"v{VERSION}",
        "_src_path": str(released),
    }


@pytest.mark.parametrize("key", ["project_name", "work_pool_name", "source_url"])
def test_every_good_answer_is_read_back_from_the_answers_file(key: str) -> None:
    for value in TABLE["good"][key]:
        read = yaml.safe_load(answers_file(**{key: value}))
        assert read[key] == value and read["create_venv"] is True


def test_the_questions_are_the_same_in_order_prompt_and_default() -> None:
    asked = [key for key in COPIER if not key.startswith("_") and key != "cookiecutter"]
    assert asked == ASKED
    for key in ASKED:
        assert COPIER[key]["help"] == QUESTIONS["__prompts__"][key]
        if key != "project_slug":
            assert COPIER[key]["default"] == QUESTIONS[key]


def test_the_files_find_exactly_the_questions_under_cookiecutters_name() -> None:
    hidden = COPIER["cookiecutter"]
    assert hidden["when"] is False
    assert re.findall(r'"(\w+)": \{\{ (\w+) \| tojson \}\}', hidden["default"]) == [
        (key, key) for key in ASKED
    ]


def test_nothing_has_to_be_trusted_and_nothing_is_left_out() -> None:
    settings = {key for key in COPIER if key.startswith("_")}
    assert settings == {
        "_min_copier_version",
        "_subdirectory",
        "_templates_suffix",
        "_external_data",
    }


@pytest.mark.parametrize(
    "name",
    ["Orders", "  1,000 It's  a -- 'Test' ", "R. & D_x", "a,b 1,2,3", "-x-", "C:\\new\\table"],
)
def test_the_slugs_default_is_cookiecutters_own(released: Path, tmp_path: Path, name: str) -> None:
    from copier._main import Worker
    from copier._user_data import AnswersMap, Question

    worker = Worker(src_path=str(released), dst_path=tmp_path)
    question = Question(
        var_name="project_slug",
        answers=AnswersMap(user={"project_name": name}),
        context={"project_name": name},
        jinja_env=worker.jinja_env,
        default=COPIER["project_slug"]["default"],
        type="str",
    )
    assert question.get_default() == slugify(name)


def test_a_slug_that_copier_cannot_make_has_to_be_given(released: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='"project_slug" is required'):
        render(released, tmp_path / "x", {"project_name": "Größe"})
