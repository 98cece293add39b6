"""The template's questions, and its hook's rules for the answers to them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from cookiecutter.utils import create_env_with_context

from fleets import Problem

Answers = dict[str, Any]


class Questions:
    """What the template in a folder asks, and how it checks what it is told."""

    def __init__(self, template: Path) -> None:
        self._file = template / "cookiecutter.json"
        self._project = template / "{{cookiecutter.project_slug}}"
        asked = json.loads(self._file.read_text("utf-8"))
        self.keys = [key for key in asked if not key.startswith("_")]
        self.switches = [key for key in self.keys if isinstance(asked[key], bool)]
        self.version = str(asked["_template_version"])
        hook = _hook(template, {key: asked[key] for key in self.keys})
        self._fault: Callable[[str, Any, str], str] = hook["fault"]
        self.rules: Mapping[str, str] = hook["RULES"]

    def complete(self, given: Answers) -> Answers:
        """All answers, as cookiecutter has them where these are given and the rest is default."""
        context = generate_context(context_file=str(self._file), extra_context=given)
        full = prompt_for_config(context, no_input=True)
        return {key: full[key] for key in self.keys}

    def faults(self, given: Answers) -> dict[str, str]:
        """What the rules say against these answers, by question."""
        found = {key: self._fault(key, value, str(value)) for key, value in given.items()}
        return {key: fault for key, fault in found.items() if fault}

    def changes(self, pairs: Sequence[str]) -> Answers:
        """Answers to be changed in projects that are there, given as key=value.

        Raises:
            Problem: one breaks its rule, is unknown, or stays as it was stamped.
        """
        sys.path.insert(0, str(self._project / "src"))
        from blueprint.project import Problem as Refused
        from blueprint.updating.answers import asked

        try:
            given = asked(pairs, dict.fromkeys(self.keys))
        except Refused as refused:
            raise Problem(str(refused)) from None
        if faults := self.faults(given):
            lines = [
                f"  {key} is {given[key]!r}: {fault}.\n      It must be {self.rules[key]}"
                for key, fault in faults.items()
            ]
            raise Problem("\n".join(["Answers that cannot be taken:", "", *lines]))
        return given


def _hook(template: Path, defaults: Answers) -> dict[str, Any]:
    """The real hook, rendered as cookiecutter does it, as a namespace: rules stand there once."""
    text = (template / "hooks" / "pre_gen_project.py").read_text("utf-8")
    context = {
        "cookiecutter": defaults | {"_repo_dir": str(template)},
        "_cookiecutter": defaults,
    }
    rendered = create_env_with_context(context).from_string(text).render(**context)
    namespace: dict[str, Any] = {"__name__": "pre_gen_project"}
    exec(compile(rendered, "pre_gen_project.py", "exec"), namespace)
    return namespace
