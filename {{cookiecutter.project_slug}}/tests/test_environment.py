"""The environment is held against the locks, those of the extras among them."""

from pathlib import Path

import pytest

from blueprint.environment import locked
from blueprint.project import Problem

LOCK = """# a comment
alpha==1.0 \\
    --hash=sha256:00
beta==2.0 ; python_full_version < '3' \\
    --hash=sha256:00
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "requirements-cloud.lock").write_text("gamma==3.0 \\\n    --hash=sha256:00\n")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ("", ["alpha"]),
        ("[tool.blueprint]\nextras = []\n", ["alpha"]),
        ('[tool.blueprint]\nextras = ["cloud"]\n', ["alpha", "gamma"]),
    ],
)
def test_the_locks_of_the_extras_count_and_pins_for_other_pythons_do_not(
    root: Path, settings: str, names: list[str]
) -> None:
    (root / "pyproject.toml").write_text(settings)
    assert [pin.name for pin in locked(root)] == names


def test_an_extra_without_a_lock_is_named(root: Path) -> None:
    (root / "pyproject.toml").write_text('[tool.blueprint]\nextras = ["clout"]\n')
    with pytest.raises(Problem, match="extra 'clout'.*requirements-clout.lock"):
        locked(root)
