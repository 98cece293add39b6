"""Every answer is checked before a file is written, and found again exactly where it is written."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import BakedProject
from cookiecutter.utils import create_env_with_context
from questions import BAD, GOOD, HOSTILE, TABLE

# The files that hold answers, and that a parser can read them from.
PARSED = ("src/data_pipeline/flow.py", "prefect.yaml", "prefect.toml", "pyproject.toml")


@pytest.fixture(scope="module")
def load_hook(template: Path) -> Callable[..., dict[str, Any]]:
    """The real pre_gen hook, rendered with answers as cookiecutter does it, as a namespace."""
    text = (template / "hooks" / "pre_gen_project.py").read_text("utf-8")
    questions = json.loads((template / "cookiecutter.json").read_text("utf-8"))
    defaults = {key: value for key, value in questions.items() if not key.startswith("_")}

    def load(**answers: Any) -> dict[str, Any]:
        given = defaults | {"project_slug": "a-slug", "_repo_dir": str(template)} | answers
        context = {"cookiecutter": given, "_cookiecutter": defaults}
        rendered = create_env_with_context(context).from_string(text).render(**context)
        namespace: dict[str, Any] = {"__name__": "pre_gen_project"}
        exec(compile(rendered, "pre_gen_project.py", "exec"), namespace)
        return namespace

    return load


@pytest.fixture(scope="module")
def check(
    load_hook: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[int, str]]:
    """Exit code and message of the hook for these answers, in a project's new folder."""
    folder = tmp_path_factory.mktemp("new")

    def check(**answers: Any) -> tuple[int, str]:
        with contextlib.chdir(folder):
            said = load_hook(**answers)["main"]()
        return int(bool(said)), said

    return check


@pytest.mark.parametrize(("key", "value"), BAD, ids=ascii)
def test_a_bad_answer_is_refused_by_its_key(
    check: Callable[..., tuple[int, str]], key: str, value: str
) -> None:
    code, said = check(**{key: value})
    assert code == 1
    assert f"\n  {key} is {value!r}: " in said
    assert "for example: " in said
    assert said.count("It must be") == 1, "another answer was blamed too"


@pytest.mark.parametrize(("key", "value"), GOOD, ids=ascii)
def test_a_good_answer_is_accepted(
    check: Callable[..., tuple[int, str]], key: str, value: str
) -> None:
    assert check(**{key: value}) == (0, "")


def test_an_answer_that_is_no_boolean_is_refused(check: Callable[..., tuple[int, str]]) -> None:
    assert "create_venv is 'perhaps'" in check(create_venv="perhaps")[1]


@pytest.mark.parametrize("key", TABLE["bad"])
def test_a_real_stamp_is_refused_before_a_file_is_written(
    refuse: Callable[..., str], key: str
) -> None:
    value = TABLE["bad"][key][2]
    said = refuse(**{"project_slug": "a-slug", key: value})
    assert f"  {key} is {value!r}" in said


@pytest.mark.parametrize("key", [key for key in TABLE["bad"] if key != "project_slug"])
def test_jinja_in_an_answer_is_refused_though_cookiecutter_renders_it(
    refuse: Callable[..., str], key: str
) -> None:
    assert f"{key} is '{{{{ 7*7 }}}}'" in refuse(**{"project_slug": "a-slug", key: "{{ 7*7 }}"})


def test_jinja_in_the_slug_is_refused_though_its_default_is_jinja(
    refuse: Callable[..., str],
) -> None:
    assert "project_slug is '{{ 7*7 }}'" in refuse(project_slug="{{ 7*7 }}")


def test_all_faults_are_reported_at_once(refuse: Callable[..., str]) -> None:
    wrong = {key: values[1] for key, values in TABLE["bad"].items()} | {"project_slug": "-x"}
    said = refuse(**wrong)
    assert [key for key in wrong if f"  {key} is " in said] == list(wrong)
    assert said.startswith("\nNothing was stamped")


def test_a_zone_that_cannot_be_looked_up_need_only_look_right(
    check: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a Windows without tzdata.
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert check(timezone="Europe/Berlin")[0] == 0
    assert [check(timezone=zone)[0] for zone in ("../UTC", "localtime", "Factory")] == [1, 1, 1]


def test_a_tool_that_names_no_template_folder_is_no_obstacle(
    check: Callable[..., tuple[int, str]],
) -> None:
    assert check(_repo_dir=None) == (0, "")


def test_the_bake_fixture_refuses_an_unknown_question(bake: Callable[..., BakedProject]) -> None:
    with pytest.raises(AssertionError, match="no such question"):
        bake(work_pool="x")


def test_the_engine_takes_every_source_that_the_hook_takes(template: Path) -> None:
    # The rule stands in both, since a hook can import nothing and the flow has to check again.
    text = next(template.glob("*/src/data_pipeline/config.py")).read_text("utf-8")
    rules = dict(re.findall(r'(?m)^(_PATH|_OBJECT|_SOURCE) = (rf?".*")$', text))
    parts = {name: ast.literal_eval(rules[name]) for name in ("_PATH", "_OBJECT")}
    source = eval(rules["_SOURCE"], parts)
    assert [value for value in TABLE["good"]["source_url"] if not re.match(source, value)] == []
    objects = [v for v in TABLE["bad"]["source_url"] if re.match("(s3|gs|az)://", v)]
    # The hook alone knows which letters a bucket's name is made of.
    assert [value for value in objects if re.match(source, value)] == ["s3://-/x.csv"]


def flow_name(source: str) -> str:
    """The name in `@flow(name=...)`, as Python reads it."""
    names = [
        ast.literal_eval(keyword.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "flow"
        for keyword in node.keywords
        if keyword.arg == "name"
    ]
    assert len(names) == 1
    return names[0]


def read_back(flow: str, manifest: str, settings: str, project: str) -> dict[str, str]:
    """The answers as the stamped files give them to a parser."""
    deployment = yaml.safe_load(manifest)["deployments"][0]
    return {
        "project_name": flow_name(flow),
        "project_slug": tomllib.loads(project)["project"]["name"],
        "work_pool_name": deployment["work_pool"]["name"],
        "schedule": deployment["schedules"][0]["cron"],
        "timezone": deployment["schedules"][0]["timezone"],
        "source_url": deployment["parameters"]["source_url"],
        "prefect_api_url": tomllib.loads(settings)["api"]["url"],
    }


@pytest.mark.parametrize(("key", "value"), GOOD, ids=ascii)
def test_a_good_answer_is_found_again_exactly(template: Path, key: str, value: str) -> None:
    defaults = {name: values[0] for name, values in TABLE["good"].items()}
    context = {"cookiecutter": defaults | {"project_slug": "a-slug", key: value}}
    engine = create_env_with_context(context)
    folder = template / "{{cookiecutter.project_slug}}"
    texts = [(folder / name).read_text("utf-8") for name in PARSED]
    assert read_back(*(engine.from_string(text).render(**context) for text in texts))[key] == value


@pytest.mark.parametrize("answers", HOSTILE, ids=lambda answers: ascii(answers["project_name"]))
def test_a_hostile_answer_is_found_again_in_a_real_stamp(
    bake: Callable[..., BakedProject], answers: dict[str, str]
) -> None:
    path = bake(**answers, project_slug="hostile").path
    found = read_back(*((path / name).read_text("utf-8") for name in PARSED))
    assert {key: found[key] for key in answers} == answers
    assert not list(path.parent.rglob("pwned"))
