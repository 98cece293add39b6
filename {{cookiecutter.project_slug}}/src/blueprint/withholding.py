"""What may be printed of a manifest's values: no password, and nothing that a variable filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import PipelineError
from ingest.sinks import open_sink
from ingest.sources import without_secrets
from runtime.project import resolve_target

WITHHELD = "***"
_PASSWORD = re.compile(r"(?<=://)[^\s/@]*:\S*@")


class Filled(str):
    """A text of the manifest into which a variable of the environment was filled.

    filled: the values of those variables.
    """

    filled: tuple[str, ...] = ()


def target(location: str) -> str:
    """A target as its sink shows it, without a password.

    Raises:
        TargetError: it is none.
    """
    return open_sink(resolve_target(location)).shown


def parameters(
    given: Mapping[str, Any], manifest: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """A run's parameters, fit to be shown.

    manifest: the parameters there; what a variable fills in is withheld, also where the server
    holds another value of it. chosen: what was given for this run, in their place.
    """
    filled = {name for name, value in manifest.items() if is_filled(value)} - chosen.keys()
    return {
        name: WITHHELD if name in filled else _shown(value, name == "target")
        for name, value in given.items()
    }


def message(text: str, manifest: Any) -> str:
    """What another program has printed, without passwords and what the manifest filled in."""
    for one in sorted({*_filled(manifest)}, key=len, reverse=True):
        text = text.replace(one, WITHHELD) if one else text
    return _PASSWORD.sub(f"{WITHHELD}@", text)


def is_filled(value: Any) -> bool:
    """Whether a variable of the environment was filled into it."""
    return any(True for _ in _filled(value))


def _shown(value: Any, is_target: bool = False) -> Any:
    if isinstance(value, str):
        try:
            # A sink reads its address more closely than any address can be read.
            return target(value) if is_target and "://" in value else without_secrets(value)
        except (PipelineError, ImportError):
            return WITHHELD
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value


def _filled(value: Any) -> Iterator[str]:
    """The values of variables in it, however deep."""
    if isinstance(value, Filled):
        yield from value.filled
    elif isinstance(value, dict):
        for item in value.values():
            yield from _filled(item)
    elif isinstance(value, list):
        for item in value:
            yield from _filled(item)
