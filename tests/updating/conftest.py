"""A project to be updated, and the tools that do it: made once for all of these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import commit_all
from cookiecutter.main import cookiecutter
from histories import Template, comes_from, project_of

from .projects import ANSWERS, Project, at


@pytest.fixture(scope="session")
def first(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template at its first version; it has no other."""
    return Template(released, tmp_path_factory.mktemp("first") / "template")


@pytest.fixture(scope="session")
def small(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of a few files, in a repository of its own."""
    return Template.small(released, tmp_path_factory.mktemp("small") / "template").path


@pytest.fixture(scope="session")
def stamped(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was stamped from the small one; where it lies now is no matter."""
    return Path(
        cookiecutter(
            str(small),
            no_input=True,
            extra_context=ANSWERS | {"create_venv": False},
            output_dir=str(tmp_path_factory.mktemp("stamped")),
            default_config=True,
        )
    )


@pytest.fixture(scope="session")
def tools(
    stamp_into: Callable[..., Path], first: Template, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project with an environment, in which copier was installed by its first check."""
    folder = tmp_path_factory.mktemp("tools")
    path = comes_from(first, stamp_into(folder / "made", create_venv=True, **ANSWERS))
    commit_all(path, "Stamped")
    temporary = folder / "temporary"
    temporary.mkdir()
    project = Project(path, path, temporary)
    assert "installing copier" in project.blueprint("update", "--check")
    return path


@pytest.fixture
def upstream(small: Path, tmp_path: Path) -> Template:
    """The project's template, to be released anew."""
    return Template(small, tmp_path / "template")


@pytest.fixture
def project(upstream: Template, stamped: Path, tools: Path, tmp_path: Path) -> Project:
    """A project whose first commit is what was stamped."""
    path = project_of(upstream, stamped, tmp_path / "orders")
    commit_all(path, "Stamped")
    return at(path, tools)
