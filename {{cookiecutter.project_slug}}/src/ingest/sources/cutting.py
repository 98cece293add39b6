"""Cut the records out of a page of JSON as the text they came in.

A record that went through Python's values would lose what its contract may want: digits of
a long number, the second of two equal keys. So each is copied as it stands.
"""

import json
import re
from collections.abc import Callable
from typing import Any

# Numbers stay text: a cursor of twenty digits must come back as it was, and Python refuses
# to convert some thousands of digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_SPACE = re.compile(r"[ \t\r\n]*")
_BREAKS = str.maketrans("\r\n", "  ")
MISSING = object()


class NoRecords(Exception):
    """There is no array of records where it was said to be."""


def cut(text: str, key: str | None, take: Callable[[str], None]) -> Any:
    """Give each record's text, on one line, to `take`; returns the page without its records.

    key: the dotted key of the array of records; None where the page itself is the array.
    Raises ValueError for what is not JSON, NoRecords where there is no such array.
    """
    begin = _find(text, key.split(".") if key else [])
    if begin is None or text[begin : begin + 1] != "[":
        return _without_array(text, key)
    end = _elements(text, begin, take)
    return _whole(text[:begin] + "[]" + text[end:])


def dotted(value: Any, key: str) -> Any:
    """What a page holds under a dotted key, numbers as text; MISSING where it has no such key."""
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def member(text: str, key: str) -> Any:
    """What the record with this text holds under a dotted key; see `dotted`."""
    return dotted(_whole(text), key)


def _without_array(text: str, key: str | None) -> Any:
    page = _whole(text)
    found = dotted(page, key) if key else page
    if key and found is None:
        return page  # an empty list of some servers
    names = ", ".join(list(page)[:10]) if isinstance(page, dict) else ""
    holds = f"The page is an object with: {names or 'no key'}." if isinstance(page, dict) else ""
    where = f"no array of records under {key!r}" if key else "no array"
    raise NoRecords(f"{where}. {holds}".strip())


def _elements(text: str, begin: int, take: Callable[[str], None]) -> int:
    """Give each element of the array at `begin` to `take`; returns where the array ends."""
    at = _skip(text, begin + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        _, end = _DECODER.raw_decode(text, at)
        # A string of JSON holds no bare line break, so each one stands between two tokens.
        take(text[at:end].translate(_BREAKS))
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            return at + 1
        _expect(text, at, ",")
        at = _skip(text, at + 1)


def _find(text: str, names: list[str]) -> int | None:
    """Where the value begins that lies under these keys, or None."""
    at: int | None = _skip(text, 0)
    for name in names:
        if at is None or text[at : at + 1] != "{":
            return None
        at = _value_of(text, at, name)
    return at


def _value_of(text: str, begin: int, name: str) -> int | None:
    """Where the value of `name` begins in the object at `begin`, or None."""
    at = _skip(text, begin + 1)
    while text[at : at + 1] == '"':
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        _expect(text, at, ":")
        at = _skip(text, at + 1)
        if key == name:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    return None


def _whole(text: str) -> Any:
    return _DECODER.decode(text)


def _expect(text: str, at: int, mark: str) -> None:
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
