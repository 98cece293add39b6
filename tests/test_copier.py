"""What copier renders is what cookiecutter stamps, and it finds its way back to the template."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from conftest import ROOT, commit_all
from cookiecutter.main import cookiecutter
from slugify import slugify
from test_answers import HOSTILE, TABLE

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
ASKED = [key for key in QUESTIONS if not key.startswith("_")]
COPIER = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
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


@pytest.fixture(scope="module")
def stamp(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Stamp from any address with the real hooks; their environment is not made."""
    user = tmp_path_factory.mktemp("user")
    config = user / "config.yaml"
    settings = {
        "cookiecutters_dir": str(user / "templates"),
        "replay_dir": str(user / "replay"),
        "abbreviations": {"our": "file://{0}"},
    }
    config.write_text(yaml.safe_dump(settings), "utf-8")

    def stamp(address: str, folder: Path, **options: Any) -> Path:
        answers = {"create_venv": False} | options.pop("answers", {})
        options = {"no_input": True, "config_file": str(config), "output_dir": folder} | options
        return Path(cookiecutter(address, extra_context=answers, **options))

    return stamp


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


def noted(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))


@pytest.mark.parametrize("answers", MATRIX, ids=lambda answers: answers["project_slug"][:20])
def test_both_tools_write_the_same_files_byte_for_byte_and_mode_for_mode(
    released: Path, stamp: Callable[..., Path], tmp_path: Path, answers: dict[str, Any]
) -> None:
    stamped = stamp(str(released), tmp_path / "stamped", answers=answers)
    rendered = render(released, tmp_path / "rendered", {"create_venv": False} | answers)
    one, other = contents(stamped), contents(rendered)
    assert len(one) > 200 and list(one) == list(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert noted(stamped) == noted(rendered)
    wanted = {key: QUESTIONS[key] for key in ASKED} | {"create_venv": False} | answers
    assert list(noted(stamped)) == ["_commit", "_src_path", *ASKED]
    assert noted(stamped) == wanted | {
        "_commit": f"v{QUESTIONS['_template_version']}",
        "_src_path": str(released),
    }


@pytest.mark.parametrize("key", ["project_name", "work_pool_name", "source_url"])
def test_every_good_answer_is_read_back_from_the_answers_file(template: Path, key: str) -> None:
    from cookiecutter.utils import create_env_with_context

    text = next(template.glob("*/.copier-answers.yml")).read_text("utf-8")
    for value in TABLE["good"][key]:
        answers = {name: values[0] for name, values in TABLE["good"].items()} | {key: value}
        context = {"cookiecutter": {**answers, "create_venv": True, "_template_version": "1"}}
        engine = create_env_with_context(context)
        read = yaml.safe_load(engine.from_string(text).render(**context))
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


@pytest.fixture
def bare(released: Path, tmp_path: Path) -> Path:
    """A repository as a server has it, at an address that ends in .git."""
    made = tmp_path / "server" / "prefect-blueprint.git"
    subprocess.run(["git", "clone", "-q", "--bare", released, made], check=True)
    return made


def fetched(project: Path) -> str:
    """What copier calls the commit that it fetches for a project's next update."""
    from copier._template import Template
    from plumbum import local

    origin = noted(project)
    template = Template(url=origin["_src_path"], ref=origin["_commit"])
    # Its git gets the environment as it was when copier was imported.
    with local.env(**{key: one for key, one in os.environ.items() if key.startswith("GIT_")}):
        try:
            assert template.version
            return str(template.commit)
        finally:
            template._cleanup()


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("{released}", "{released}"),
        ("{relative}", "{released}"),
        ("file://{bare}", "file://{bare}"),
        ("git+file://{bare}", "file://{bare}"),
        ("file://{plain}", "git+file://{plain}"),
        ("our:{bare}", "file://{bare}"),
        ("gh:org/prefect-blueprint", "https://github.com/org/prefect-blueprint.git"),
        ("git@github.com:org/prefect-blueprint.git", "git@github.com:org/prefect-blueprint.git"),
    ],
)
def test_copier_fetches_from_the_address_that_the_project_was_stamped_from(
    released: Path,
    bare: Path,
    stamp: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    source: str,
) -> None:
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    # GitHub is the folder of the bare repository, to git alone.
    settings = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.file://{bare.parent}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/org/",
        "GIT_CONFIG_KEY_1": f"url.file://{bare.parent}/.insteadOf",
        "GIT_CONFIG_VALUE_1": "git@github.com:org/",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    plain = Path(shutil.copytree(bare, tmp_path / "git" / "prefect-blueprint"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    (tmp_path / "here").symlink_to(released)
    places = {"released": released, "bare": bare, "plain": plain, "relative": "./here/"}
    project = stamp(address.format(**places), tmp_path / "stamped")
    assert noted(project)["_src_path"] == source.format(**places)
    assert fetched(project) == noted(project)["_commit"]


@pytest.mark.slow
def test_what_was_stamped_between_releases_is_noted_as_that_commit(
    bare: Path, stamp: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", bare, clone], check=True)
    with (clone / "{{cookiecutter.project_slug}}" / "README.md").open("a") as readme:
        readme.write("More.\n")
    commit_all(clone, "More")
    subprocess.run(["git", "push", "-q", "origin", "main"], cwd=clone, check=True)
    version = f"v{QUESTIONS['_template_version']}"
    tagged = stamp(f"file://{bare}", tmp_path / "tagged", checkout=version)
    assert noted(tagged)["_commit"] == fetched(tagged) == version
    head = stamp(f"file://{bare}", tmp_path / "head")
    assert noted(head)["_commit"] == fetched(head)
    assert re.fullmatch(rf"{version}-1-g[0-9a-f]+", noted(head)["_commit"])
    # Whose update brings what came after it, and not what it has.
    (clone / "{{cookiecutter.project_slug}}" / "docs" / "NEW.md").touch()
    commit_all(clone, "Even more", tag="v99.0.0")
    subprocess.run(["git", "push", "-q", "--tags", "origin", "main"], cwd=clone, check=True)
    commit_all(head, "Stamp")
    copier.run_update(
        head, data={"schedule": "7 7 * * *"}, defaults=True, overwrite=True, quiet=True
    )
    assert (noted(head)["_commit"], noted(head)["schedule"]) == ("v99.0.0", "7 7 * * *")
    assert (head / "README.md").read_text("utf-8").endswith("\nMore.\n")
    assert (head / "docs" / "NEW.md").exists()


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://github.com/org/prefect-blueprint.git", None),  # from gh:org/prefect-blueprint
        ("git@github.com:org/prefect-blueprint.git", None),
        ("git@git.example.com:team/blueprint", None),
        ("ssh://git@git.example.com:2222/team/blueprint.git", None),
        ("https://git.example.com/team/blueprint.git", None),
        ("git://git.example.com/team/blueprint", None),
        ("https://git.example.com/team/blueprint", "git+https://git.example.com/team/blueprint"),
        ("ssh://git@git.example.com/blueprint", "git+ssh://git@git.example.com/blueprint"),
        ("deploy@git.example.com:blueprint", "git+deploy@git.example.com:blueprint"),
        # This file may hold no secret.
        ("https://me:secret@git.example.com/b.git", "https://git.example.com/b.git"),
        ("https://token@git.example.com/b", "git+https://git.example.com/b"),
        ("https://me:p@ss@git.example.com/b.git", "https://git.example.com/b.git"),
        ("ssh://me:secret@git.example.com:22/b.git", "ssh://me@git.example.com:22/b.git"),
    ],
)
def test_an_address_is_noted_as_copier_takes_it_and_without_a_password(
    released: Path, tmp_path: Path, remote: str, source: str | None
) -> None:
    from copier._vcs import get_repo

    repository = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", released, repository], check=True)
    subprocess.run(["git", "remote", "set-url", "origin", remote], cwd=repository, check=True)
    answers = {"_repo_dir": str(repository), "_template": "gh:org/x", "create_venv": False}
    answers["_output_dir"] = str(tmp_path)
    text = (released / "hooks" / "post_gen_project.py").read_text("utf-8")
    hook: dict[str, Any] = {"__name__": "hook"}
    text = text.replace("{{ cookiecutter | tojson }}", json.dumps(answers))
    exec(compile(text, "post_gen_project.py", "exec"), hook)
    commit, address = hook["origin"]()
    assert (commit, address) == (f"v{QUESTIONS['_template_version']}", source or remote)
    assert get_repo(address) is not None


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://me:secret@git.example.com/b@c.git", "https://git.example.com/b@c.git"),
        ("git+https://token@git.example.com/b", "git+https://git.example.com/b"),
        ("ssh://me:secret@git.example.com:22/b", "ssh://me@git.example.com:22/b"),
        ("git@github.com:org/b.git", "git@github.com:org/b.git"),
        ("https://git.example.com/b", "https://git.example.com/b"),
        ("gh:org/b", "gh:org/b"),
        ("/home/me@work/it's", "/home/me@work/it's"),
    ],
)
def test_where_no_hook_runs_the_file_holds_no_password_either(
    template: Path, address: str, source: str
) -> None:
    from cookiecutter.utils import create_env_with_context

    text = next(template.glob("*/.copier-answers.yml")).read_text("utf-8")
    answers = {name: values[0] for name, values in TABLE["good"].items()} | {"_template": address}
    context = {"cookiecutter": {**answers, "create_venv": True, "_template_version": "1"}}
    rendered = create_env_with_context(context).from_string(text).render(**context)
    assert yaml.safe_load(rendered)["_src_path"] == source


@pytest.mark.parametrize("kind", ["submodule", "relative", "stale"])
def test_a_folder_that_was_typed_is_noted_wherever_that_was(
    released: Path,
    stamp: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    add = ["git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(released)]
    if kind == "submodule":
        subprocess.run(["git", "init", "-q"], cwd=work, check=True)
        subprocess.run([*add, "blueprint"], cwd=work, check=True)
    else:
        subprocess.run(["git", "clone", "-q", released, work / "blueprint"], check=True)
    monkeypatch.chdir(work)
    # As the shell has it, or as it is where a program has called cookiecutter.
    monkeypatch.setenv("PWD", str(tmp_path if kind == "stale" else work))
    project = stamp("blueprint", Path("made"))
    assert noted(project)["_src_path"] == str(work / "blueprint")
    assert noted(project)["_commit"] == fetched(project) == f"v{QUESTIONS['_template_version']}"


@pytest.mark.parametrize("how", ["path", "--directory"])
def test_a_template_in_a_folder_of_a_repository_is_said_to_get_no_updates(
    template: Path,
    stamp: Callable[..., Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    shutil.copytree(template, tmp_path / "many" / "blueprint")
    commit_all(tmp_path / "many", "Many templates")
    if how == "path":
        stamp(str(tmp_path / "many" / "blueprint"), tmp_path / "made")
    else:
        stamp(str(tmp_path / "many"), tmp_path / "made", directory="blueprint")
    said = capfd.readouterr().out
    assert f"No commit is known of {tmp_path / 'many'}" in said
    assert "it is not the root of a git repository" in said and "`blueprint update` needs" in said


def test_where_a_commit_is_known_nothing_is_said_of_it(
    released: Path, stamp: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stamp(str(released), tmp_path / "made")
    assert "The project is there. Next:" in (said := capfd.readouterr().out)
    assert "No commit" not in said


def test_where_no_hook_ran_and_no_repository_was_the_file_says_what_is_known(
    template: Path, stamp: Callable[..., Path], tmp_path: Path
) -> None:
    version = f"v{QUESTIONS['_template_version']}"
    for options in ({"accept_hooks": False}, {}):
        project = stamp(str(template), tmp_path / str(len(options)), **options)
        assert noted(project)["_commit"] == version
        assert noted(project)["_src_path"] == str(template)
    commit_all(project, "Stamp")
    with pytest.raises(Exception, match="Updating is only supported in git-tracked templates"):
        copier.run_update(project, defaults=True, overwrite=True, quiet=True)
