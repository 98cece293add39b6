"""How a pipeline was added: what has changed since is somebody's work.

That is noted beside its code, where git has it: what `shipped` holds changes with the template.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from blueprint.pipelines import copies
from blueprint.pipelines.which import NOTES, path_of
from ingest.inference import inferred_from

_ABOUT = "What blueprint add-pipeline has made; blueprint remove-pipeline keeps what has changed."


def notes(made: Mapping[str, str]) -> str:
    """The text of the notes. made: what was added, by what it is called in a message."""
    digests = {name: _digest(text) for name, text in sorted(made.items())}
    return json.dumps({"about": _ABOUT, "made": digests}, indent=2) + "\n"


def is_as_added(package: str, name: str, text: str) -> bool:
    """Whether what is so called says what it said when the pipeline was added."""
    try:
        told = json.loads(path_of(package, "contract").with_name(NOTES).read_text("utf-8"))["made"]
        return told.get(name) == _digest(text)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def is_untouched(package: str, name: str, text: str) -> bool:
    """Whether nobody has worked on a file: as it was added, or as an inference has written it."""
    if name == f"src/{package}/contract.py" and inferred_from(text) is not None:
        return True
    if name == f"src/{package}/transform.py" and text == copies.PASS_THROUGH:
        return True
    if name == f"src/{package}/{NOTES}" or is_as_added(package, name, text):
        return True
    return copies.tests(package).get(name.removeprefix("tests/")) == text


def is_the_samples(package: str, name: str, text: str) -> bool:
    """Whether `contract` or `transform` still is the sample's, of this template or an earlier one."""
    if copies.is_shipped(name, text, package):
        return True
    return inferred_from(text) is None and is_as_added(package, f"src/{package}/{name}.py", text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8")).hexdigest()
