"""What is stamped: which files, and that each is whole, portable and free of this machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import BakedProject, not_run

EXPECTED = Path(__file__).parent / "stamped_files.txt"
ANSWERS = [
    {},
    {
        "project_name": """Müller's "Q3" Ledger \\ 🚀""",
        "project_slug": "A.b_c-1",
        "work_pool_name": """it's the "pool": 1""",
        "schedule": "*/15 8-18 * * MON-FRI",
        "source_url": "C:\\Users\\Ann's data\\orders.csv",
        "prefect_api_url": "https://api.prefect.cloud/api/accounts/0b0e/workspaces/1c1d",
    },
]
# A hand-made name has none of these on any system; nor one of Windows' own names.
UNPORTABLE = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|(com|lpt)[0-9])(\.|$)', re.I)
# GitHub's expressions, and what Prefect fills in when it deploys, or when an event comes.
FOREIGN_MARKS = {
    ".github": r"\$\{\{.*?\}\}",
    "prefect.yaml": r"\{\{ \$[A-Z_]+ \}\}",
    "EXECUTION_GUIDE.md": r"\{\{ event\.[a-z.]+ \}\}",
}


@pytest.fixture(scope="module", params=ANSWERS, ids=["defaults", "hard answers"])
def project(
    stamp_into: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> BakedProject:
    return BakedProject(stamp_into(tmp_path_factory.mktemp("rendering"), **request.param))


def names(project: BakedProject) -> list[str]:
    return [path.relative_to(project.path).as_posix() for path in project.files()]


def with_suffix(project: BakedProject, *suffixes: str) -> list[Path]:
    found = [path for path in project.files() if path.suffix in suffixes]
    assert found, f"no {suffixes} at all"
    return found


def test_the_stamped_files_are_exactly_those_of_the_list(project: BakedProject) -> None:
    # A file more or less on purpose? Edit tests/stamped_files.txt: one path to a line, sorted.
    assert names(project) == EXPECTED.read_text("utf-8").splitlines()


def test_every_yaml_file_parses(project: BakedProject) -> None:
    for path in with_suffix(project, ".yaml", ".yml"):
        assert yaml.safe_load(path.read_text("utf-8")), path


def test_every_toml_file_parses(project: BakedProject) -> None:
    for path in with_suffix(project, ".toml"):
        assert tomllib.loads(path.read_text("utf-8")), path


def test_every_json_file_parses(project: BakedProject) -> None:
    for path in project.files():
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))


def test_every_python_file_parses_for_the_oldest_python_it_meets(project: BakedProject) -> None:
    for path in with_suffix(project, ".py"):
        # bootstrap.py is run by the system's own Python, whichever that is.
        oldest = (3, 8) if path.name == "bootstrap.py" else (3, 11)
        ast.parse(path.read_text("utf-8"), str(path), feature_version=oldest)


def test_every_shell_file_parses_under_dash(project: BakedProject) -> None:
    dash = shutil.which("dash") or not_run("dash is not installed")
    for path in with_suffix(project, ".sh"):
        subprocess.run([str(dash), "-n", str(path)], check=True)
        first = path.read_text("utf-8").splitlines()[0]
        assert first == "#!/bin/sh" or path.name.startswith("_"), path


def test_no_jinja_is_left_over(project: BakedProject) -> None:
    for path in project.files():
        text = path.read_text("utf-8")
        for place, mark in FOREIGN_MARKS.items():
            if place in path.relative_to(project.path).parts:
                text = re.sub(mark, "", text)
        # A Python f-string may hold doubled braces.
        marks = r"\{%|cookiecutter\." + ("" if path.suffix == ".py" else r"|\{\{|\{#[^}]*#\}")
        found = [line for line in text.splitlines() if re.search(marks, line)]
        assert not found, (path, found)


def test_every_line_ends_in_lf_and_every_file_in_a_newline(project: BakedProject) -> None:
    for path in project.files():
        content = path.read_bytes()
        assert b"\r" not in content, path
        assert not content or content.endswith(b"\n"), path
    assert "eol=lf" in (project.path / ".gitattributes").read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no run bits")
def test_the_scripts_and_nothing_else_can_be_run(project: BakedProject) -> None:
    runnable = {path for path in project.files() if path.stat().st_mode & 0o111}
    scripts = (path for path in (project.path / "scripts").iterdir() if path.is_file())
    assert runnable == {path for path in scripts if not path.name.startswith("_")}


def test_every_path_can_be_held_by_windows(project: BakedProject) -> None:
    for name in names(project):
        assert name.isascii() and len(name) < 120, name
        assert not [part for part in name.split("/") if UNPORTABLE.search(part)], name
    assert len({name.lower() for name in names(project)}) == len(names(project))


def test_no_file_knows_this_machine_or_a_package_registry(
    project: BakedProject, template: Path
) -> None:
    root = Path(__file__).resolve().parents[1]
    here = {str(project.path), str(template), str(root), str(Path.home()) + "/", "/tmp/"}
    for path in project.files():
        # The one file that says where the template came from.
        if path.name == ".copier-answers.yml":
            continue
        text = path.read_text("utf-8")
        found = [place for place in here if place in text]
        found += re.findall(r"https?://[\w.-]*(?:pypi|pythonhosted)\.\w+", text)
        assert not found, (path, found)


def pins(lock: Path) -> dict[str, str]:
    """What a lock pins: names to versions."""
    found = re.findall(r"(?m)^([a-z0-9.-]+)==([\w.]+)", lock.read_text("utf-8"))
    return dict(found)


def test_the_locks_pin_and_hash_everything_and_name_no_host(project: BakedProject) -> None:
    for path in sorted(project.path.glob("requirements*.lock")):
        lock = path.read_text("utf-8")
        assert "://" not in lock and "\n--" not in lock
        packages = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", lock).strip())
        assert packages == [
            package
            for package in packages
            if re.match(r"[a-z0-9.-]+==[\w.]+( ; [^\n]+)? \\\n    --hash=sha256:", package)
        ]
    assert len(pins(project.path / "requirements.lock")) > 50


def test_the_lock_holds_the_build_backend_and_every_direct_dependency(
    project: BakedProject,
) -> None:
    settings = tomllib.loads((project.path / "pyproject.toml").read_text("utf-8"))
    locked = set(pins(project.path / "requirements.lock"))
    wanted = [*settings["project"]["dependencies"], *settings["build-system"]["requires"]]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace(".", "-") for line in wanted}
    assert names <= locked


def test_each_extra_has_a_lock_that_only_adds_to_the_projects_own(project: BakedProject) -> None:
    settings = tomllib.loads((project.path / "pyproject.toml").read_text("utf-8"))
    extras = settings["project"]["optional-dependencies"]
    locks = {path.name for path in project.path.glob("requirements-*.lock")}
    assert locks == {f"requirements-{extra}.lock" for extra in extras}
    base = pins(project.path / "requirements.lock")
    for extra, needs in extras.items():
        added = pins(project.path / f"requirements-{extra}.lock")
        assert {re.split(r"[^\w.-]", line)[0] for line in needs} <= set(added)
        assert not set(added) & set(base), extra


@pytest.mark.parametrize(
    ("source", "extras"),
    [
        ("data/sample_orders.ndjson", []),
        ("https://example.com/s3://x", []),
        ("s3://bucket/orders.csv", ["cloud"]),
        ("gs://bucket/orders.csv", ["cloud"]),
        ("az://container/orders.csv", ["cloud"]),
    ],
)
def test_a_project_has_the_extra_cloud_where_its_source_needs_it(
    stamp_into: Callable[..., Path], tmp_path: Path, source: str, extras: list[str]
) -> None:
    text = (stamp_into(tmp_path, source_url=source) / "pyproject.toml").read_text("utf-8")
    assert tomllib.loads(text)["tool"]["blueprint"]["extras"] == extras
    assert "\nextras = [" in text and "After an edit: python3 bootstrap.py" in text
