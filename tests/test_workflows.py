"""The workflows run what this machine cannot, with actions that nobody can change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from bake import ANSWERS, CHECKS, failing, stamp
from conftest import ROOT
from test_rendering import UNPORTABLE

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STAMPED = sorted(ROOT.glob("*/.github/workflows/*.yml"))
CHECKED: dict[str, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "checks.yml").read_text("utf-8")
)


@pytest.mark.parametrize("path", [*WORKFLOWS, *STAMPED], ids=lambda path: f"{path.parts[-4]}"[:9])
def test_each_action_is_pinned_to_a_commit_and_no_job_has_rights_unasked(path: Path) -> None:
    text = path.read_text("utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
    assert yaml.safe_load(text)["permissions"] == {}


def test_windows_and_macos_stamp_with_default_and_awkward_answers() -> None:
    job = CHECKED["jobs"]["bake"]
    systems = {one.split("-")[0] for one in job["strategy"]["matrix"]["os"]}
    assert systems == {"windows", "macos"}
    assert set(job["strategy"]["matrix"]["answers"]) == set(ANSWERS)
    assert job["steps"][-1]["run"] == "python tools/bake.py ${{ matrix.answers }}"


def test_a_tag_is_checked_and_the_tests_see_the_tags() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert CHECKED[True]["push"]["tags"] == ["v*"]
    assert CHECKED["jobs"]["test"]["steps"][0]["with"]["fetch-depth"] == 0


@pytest.mark.slow
def test_a_bake_makes_the_environment_runs_the_checks_and_names_the_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    project = stamp(tmp_path, ANSWERS["awkward"])
    quick = tuple(one for one in CHECKS if one[0] in ("ruff", "blueprint"))
    assert failing(project, quick) == []
    assert "== blueprint lint" in capfd.readouterr().out
    (project / "src" / "data_pipeline" / "load.py").write_text("import os\n", "utf-8")
    assert failing(project, quick) == ["ruff check ."]


def test_the_template_itself_can_be_cloned_on_windows(template: Path) -> None:
    # What it stamps, test_rendering.py looks at; cookiecutter clones it first.
    paths = [path.relative_to(template).as_posix() for path in template.rglob("*")]
    for name in paths:
        assert name.isascii() and len(name) < 150, name
        assert not [part for part in name.split("/") if UNPORTABLE.search(part)], name
    assert len({name.lower() for name in paths}) == len(paths)
