"""Where a project was stamped from is noted so that copier finds its way back, and without a secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import copier
import pytest
import yaml
from conftest import commit_all
from hook_code import loaded
from questions import VERSION, answers_file, noted


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
    stamp_from: Callable[..., Path],
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
    project = stamp_from(address.format(**places), tmp_path / "stamped")
    assert noted(project)["_src_path"] == source.format(**places)
    assert fetched(project) == noted(project)["_commit"]


@pytest.mark.slow
def test_what_was_stamped_between_releases_is_noted_as_that_commit(
    bare: Path, stamp_from: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", bare, clone], check=True)
    with (clone / "{{cookiecutter.project_slug}}" / "README.md").open("a") as readme:
        readme.write("More.\n")
    commit_all(clone, "More")
    subprocess.run(["git", "push", "-q", "origin", "main"], cwd=clone, check=True)
    version = f"v{VERSION}"
    tagged = stamp_from(f"file://{bare}", tmp_path / "tagged", checkout=version)
    assert noted(tagged)["_commit"] == fetched(tagged) == version
    head = stamp_from(f"file://{bare}", tmp_path / "head")
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
    folders = {"_repo_dir": str(repository), "_output_dir": str(tmp_path)}
    hook = loaded("post_gen_project", **folders, _template="gh:org/x", create_venv=False)
    commit, address = hook["origin"]()
    assert (commit, address) == (f"v{VERSION}", source or remote)
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
def test_where_no_hook_runs_the_file_holds_no_password_either(address: str, source: str) -> None:
    assert yaml.safe_load(answers_file(_template=address))["_src_path"] == source


@pytest.mark.parametrize("kind", ["submodule", "relative", "stale"])
def test_a_folder_that_was_typed_is_noted_wherever_that_was(
    released: Path,
    stamp_from: Callable[..., Path],
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
    project = stamp_from("blueprint", Path("made"))
    assert noted(project)["_src_path"] == str(work / "blueprint")
    assert noted(project)["_commit"] == fetched(project) == f"v{VERSION}"


@pytest.mark.parametrize("how", ["path", "--directory"])
def test_a_template_in_a_folder_of_a_repository_is_said_to_get_no_updates(
    template: Path,
    stamp_from: Callable[..., Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    shutil.copytree(template, tmp_path / "many" / "blueprint")
    commit_all(tmp_path / "many", "Many templates")
    if how == "path":
        stamp_from(str(tmp_path / "many" / "blueprint"), tmp_path / "made")
    else:
        stamp_from(str(tmp_path / "many"), tmp_path / "made", directory="blueprint")
    said = capfd.readouterr().out
    assert f"No commit is known of {tmp_path / 'many'}" in said
    assert "it is not the root of a git repository" in said and "`blueprint update` needs" in said


def test_where_a_commit_is_known_nothing_is_said_of_it(
    released: Path,
    stamp_from: Callable[..., Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stamp_from(str(released), tmp_path / "made")
    assert "The project is there. Next:" in (said := capfd.readouterr().out)
    assert "No commit" not in said


def test_where_no_hook_ran_and_no_repository_was_the_file_says_what_is_known(
    template: Path, stamp_from: Callable[..., Path], tmp_path: Path
) -> None:
    version = f"v{VERSION}"
    for options in ({"accept_hooks": False}, {}):
        project = stamp_from(str(template), tmp_path / str(len(options)), **options)
        assert noted(project)["_commit"] == version
        assert noted(project)["_src_path"] == str(template)
    commit_all(project, "Stamp")
    with pytest.raises(Exception, match="Updating is only supported in git-tracked templates"):
        copier.run_update(project, defaults=True, overwrite=True, quiet=True)
