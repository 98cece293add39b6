"""The template's questions, as both tools ask them, and answers to them.

answers.json is the table of good and bad ones; whatever asks these questions must agree with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT
from cookiecutter.utils import create_env_with_context
from histories import SLUG

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
ASKED = [key for key in QUESTIONS if not key.startswith("_")]
COPIER = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
VERSION: str = QUESTIONS["_template_version"]
TABLE = json.loads((Path(__file__).with_name("answers.json")).read_text("utf-8"))
BAD = [(key, value) for key, values in TABLE["bad"].items() for value in values]
GOOD = [(key, value) for key, values in TABLE["good"].items() for value in values]
HOSTILE = [
    {
        "project_name": """Müller's "Q3" Ledger""",
        "work_pool_name": 'it\'s the "pool": 1',
        "source_url": "C:\\Users\\Ann's data\\orders.csv",
    },
    {
        "project_name": "$(touch pwned) `id` ${HOME} \\",
        "work_pool_name": "- [*a, ~] | \\n",
        "source_url": "#'\"$(id)",
    },
    {"project_name": "日本語 🚀", "work_pool_name": "مسبح 🏊", "source_url": "数据/🚀.ndjson"},
]


def noted(project: Path) -> dict[str, Any]:
    """The answers and the origin that a stamped project keeps."""
    return yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))


def answers_file(**answers: Any) -> str:
    """What cookiecutter alone, without a hook, makes of .copier-answers.yml for these answers."""
    text = (ROOT / SLUG / ".copier-answers.yml").read_text("utf-8")
    given = {name: values[0] for name, values in TABLE["good"].items()} | {"create_venv": True}
    context = {"cookiecutter": {**given, "_template_version": "1", **answers}}
    return create_env_with_context(context).from_string(text).render(**context)
