"""`make shipped`: the copies of the first pipeline that `blueprint add-pipeline` begins with.

A stamped project's own first pipeline may have been edited, so it also holds each file of it as
the template ships it. A test holds these copies against src/data_pipeline.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
FIRST = PROJECT / "src" / "data_pipeline"
COPIES = PROJECT / "src" / "blueprint" / "pipelines" / "shipped"
# A flow's name is an answer, and nothing that a copy could know.
_NAME = re.compile(r"^    name=\{%.*$", re.MULTILINE)


def render() -> dict[str, str]:
    """The copies, by their files' names."""
    made = {f"{path.name}.txt": path.read_text("utf-8") for path in sorted(FIRST.glob("*.py"))}
    made["flow.py.txt"], count = _NAME.subn('    name="data_pipeline",', made["flow.py.txt"])
    assert count == 1, "flow.py names its flow in another way"
    made["test_contract.py.txt"] = (PROJECT / "tests" / "test_contract.py").read_text("utf-8")
    return made


def main() -> int:
    """Write the copies."""
    made = render()
    for name, text in made.items():
        (COPIES / name).write_text(text, "utf-8")
    print(f"{COPIES.relative_to(PROJECT)}: {len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
