"""Copier refuses what the hook refuses, in the hook's words, and takes what the hook takes."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
from conftest import ROOT, commit_all
from cookiecutter.prompt import YesNoPrompt
from copier._main import Worker
from copier._user_data import AnswersMap, Question
from hook_code import loaded
from questions import ASKED, BAD, COPIER, GOOD, TABLE, noted

from validators import DATA, render, shared, zones

# What no command line can be given.
UNTYPABLE = "\0\ud83d"


@pytest.fixture(scope="module")
def validate(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What copier says of an answer, with the template's own copier.yml and validators."""
    folder = tmp_path_factory.mktemp("validating")
    with Worker(src_path=str(released), dst_path=folder / "x", vcs_ref="HEAD") as worker:
        context = {"_copier_conf": {"dst_path": folder, "overwrite": False}}

        def validate(key: str, value: Any) -> str:
            details = dict(worker.template.questions_data[key])
            question = Question(
                var_name=key,
                answers=AnswersMap(),
                context=context,
                jinja_env=worker.jinja_env,
                **details,
            )
            try:
                question.validate_answer(question.parse_answer(value))
            except ValueError as refused:
                said = str(refused)
                head = f"Validation error for question '{key}': "
                assert said.startswith(head), said
                return said.removeprefix(head)
            return ""

        yield validate


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    """The pre_gen hook as a namespace."""
    found = loaded("pre_gen_project")
    found["REPO"] = ROOT
    return found


@pytest.mark.parametrize(("key", "value"), BAD, ids=ascii)
def test_copier_refuses_a_bad_answer_as_the_hook_does_word_for_word(
    validate: Callable[..., str], hook: dict[str, Any], key: str, value: str
) -> None:
    found = hook["fault"](key, value, "")
    assert found
    assert validate(key, value) == f"{value!r}: {found}. It must be {hook['RULES'][key]}"


@pytest.mark.parametrize(("key", "value"), GOOD, ids=ascii)
def test_copier_accepts_a_good_answer(
    validate: Callable[..., str], hook: dict[str, Any], key: str, value: str
) -> None:
    assert validate(key, value) == hook["fault"](key, value, "") == ""


@pytest.mark.parametrize("value", ["perhaps", "", "1", "0", "~", "[true]"])
def test_copier_refuses_what_is_no_boolean(validate: Callable[..., str], value: str) -> None:
    assert "neither of them. It must be true or false" in validate("create_venv", value)


@pytest.mark.parametrize("value", ["y", "n", "t", "f", "1", "0"])
def test_cookiecutter_knows_more_words_for_a_boolean_which_the_answers_file_never_holds(
    validate: Callable[..., str], value: str
) -> None:
    assert isinstance(YesNoPrompt().process_response(value), bool)
    assert "neither of them" in validate("create_venv", value)


@pytest.mark.parametrize("value", [True, False, "true", "false", "yes", "no"])
def test_copier_takes_a_boolean(validate: Callable[..., str], value: str) -> None:
    assert validate("create_venv", value) == ""


def test_both_read_thousands_of_schedules_alike(
    validate: Callable[..., str], hook: dict[str, Any]
) -> None:
    dice = random.Random(6)
    parts = ["*", "*/2", "*/7", "1", "0", "7", "9", "12", "13", "29", "30", "31", "60", "1-5"]
    parts += ["5-1", "3-3", "10/15", "10-50/5", "MON", "mon-FRI", "JAN", "FEB", "JANUARY", "L", "-"]
    for _ in range(400):
        fields = [
            dice.choice(parts) + ("," + dice.choice(parts) if dice.random() < 0.2 else "")
            for _ in range(5)
        ]
        value = " ".join(fields)
        found = hook["fault"]("schedule", value, "")
        wanted = f"{value!r}: {found}. It must be {hook['RULES']['schedule']}" if found else ""
        assert validate("schedule", value) == wanted


def test_every_question_has_a_validator_and_the_names_are_frozen() -> None:
    for key in ASKED:
        frozen = key in ("project_name", "project_slug")
        assert ("frozen_fault" if frozen else " fault") in COPIER[key]["validator"]
        assert f'"{key}", {key}' in COPIER[key]["validator"]
    assert list(shared()["RULES"]) == ASKED


def test_what_copier_reads_is_as_make_validators_writes_it() -> None:
    assert DATA.read_text("utf-8") == render(), "make validators"


def test_a_number_of_any_length_is_refused_by_both(
    validate: Callable[..., str], hook: dict[str, Any]
) -> None:
    # Python makes no number of more than 4,300 digits, and Jinja a 0.
    for digit in "09":
        for value in (f"{digit * 4400} 9 * * *", f"*/{digit * 4400} 9 * * *"):
            found = hook["fault"]("schedule", value, "")
            assert found.endswith("is none of these") and found in validate("schedule", value)


@pytest.mark.parametrize("installed", [False, True], ids=["tzdata", "system"])
def test_the_zones_are_those_that_the_hook_takes(hook: dict[str, Any], installed: bool) -> None:
    zoneinfo.reset_tzpath(to=None if installed else [])
    try:
        known = zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath()
    taken = {zone for zone in known if not hook["fault"]("timezone", zone, "")}
    # A newer system may have a zone more: `make lock` brings the newest tzdata.
    assert taken - set(zones()) == set(), "stamped with it, a project could not be updated"
    assert set(zones()) - taken == set() and len(taken) > 500


@pytest.mark.parametrize("key", TABLE["bad"])
def test_a_real_copy_is_refused_before_a_file_is_written(
    released: Path, tmp_path: Path, key: str
) -> None:
    value = next(one for one in TABLE["bad"][key][2:] if not set(one) & set(UNTYPABLE))
    answers = {"project_slug": "a-slug", "create_venv": "false", key: value}
    typed = [word for name, one in answers.items() for word in ("-d", f"{name}={one}")]
    command = [sys.executable, "-m", "copier", "copy", "--defaults", *typed]
    done = subprocess.run(
        [*command, str(released), str(tmp_path / "x")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"question '{key}': {value!r}: " in done.stderr and "It must be " in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.fixture
def project(stamp_into: Callable[..., Path], released: Path, tmp_path: Path) -> Path:
    """A stamped project in a repository, whose template has a newer version."""
    template = Path(shutil.copytree(released, tmp_path / "template"))
    with (template / "{{cookiecutter.project_slug}}" / "README.md").open("a") as readme:
        readme.write("More.\n")
    commit_all(template, "More", tag="v99.0.0")
    path = stamp_into(tmp_path, project_name='It\'s "Q3"', project_slug="q3")
    answers = path / ".copier-answers.yml"
    text = answers.read_text("utf-8")
    answers.write_text(text.replace(noted(path)["_src_path"], str(template)), "utf-8")
    commit_all(path, "Stamp")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("key", "value"), [("project_name", "Other"), ("project_slug", "other")])
def test_an_update_that_changes_a_name_is_refused_and_changes_nothing(
    project: Path, key: str, value: str
) -> None:
    before = noted(project)
    with pytest.raises(ValueError, match="is not to be changed: stamp a new project") as refused:
        copier.run_update(project, data={key: value}, defaults=True, overwrite=True, quiet=True)
    assert f"'{key}': {value!r}: it was stamped as {before[key]!r}" in str(refused.value)
    status = subprocess.check_output(["git", "status", "--porcelain"], cwd=project, text=True)
    assert (status, noted(project)) == ("", before)


@pytest.mark.slow
def test_an_update_takes_the_same_names_and_warns_of_nothing(
    project: Path, recwarn: pytest.WarningsRecorder
) -> None:
    names = {key: noted(project)[key] for key in ("project_name", "project_slug")}
    copier.run_update(
        project, data={**names, "schedule": "1 1 * * *"}, defaults=True, overwrite=True, quiet=True
    )
    assert noted(project)["schedule"] == "1 1 * * *"
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\n")
    assert [str(one.message) for one in recwarn if "answers" in str(one.message)] == []
