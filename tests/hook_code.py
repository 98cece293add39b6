"""The hooks as cookiecutter writes them for some answers, without a stamp: to be run, or looked into."""

from __future__ import annotations

import json
import re
from typing import Any

from conftest import ROOT


def rendered(name: str, **answers: Any) -> str:
    """The code of a hook, with answers in it."""
    text = (ROOT / "hooks" / f"{name}.py").read_text("utf-8")
    return re.sub(r"\{\{.*?\}\}", lambda _: json.dumps(answers), text)


def loaded(name: str, **answers: Any) -> dict[str, Any]:
    """What a hook defines; it does nothing."""
    found: dict[str, Any] = {"__name__": name}
    exec(compile(rendered(name, **answers), f"{name}.py", "exec"), found)
    return found
