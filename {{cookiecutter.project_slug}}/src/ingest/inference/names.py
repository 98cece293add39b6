"""Names for a source's fields, and its text as Python writes it.

What a source holds enters the contract as a string literal or, where it is a plain name, as
an identifier that can hide nothing; never as anything else.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable

from pydantic import BaseModel

from ingest.schema import RESERVED

# What a contract imports, where it needs it.
MODULES = {
    "datetime": ("date", "time", "timedelta"),
    "decimal": ("Decimal",),
    "typing": ("Annotated", "Any", "Literal"),
    "uuid": ("UUID",),
    "pydantic": ("AwareDatetime", "BaseModel", "Field", "NaiveDatetime"),
    "ingest.contract": ("Base64", "Contract"),
    "ingest.na": ("NA_IS_NULL",),
}
# What a contract's own code says; a field of such a name would hide it in its class.
_BUILTINS = {"str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "set"}
_IMPORTED = {name for names in MODULES.values() for name in names}
# `root` is Pydantic's own, and a linter takes l, O and I for misread digits.
_OTHERS = {"Record", "KEY", "TABLE", "CONTRACT", "model_config", "root", "l", "O", "I"}
USED = frozenset(_BUILTINS | _IMPORTED | _OTHERS | {"datetime"})
_PYDANTIC = frozenset(dir(BaseModel))
_MOST_FIELD = 40
_MOST_CLASS = 20
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spelled(text: str) -> str:
    """A Python string literal in printable characters, quoted as a formatter would."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_character(char, quote) for char in text) + quote


def _character(char: str, quote: str) -> str:
    if char == quote:
        return "\\" + char
    if char in _ESCAPES:
        return _ESCAPES[char]
    # Letters that run from right to left would show the code in another order than it has.
    if char.isprintable() and unicodedata.bidirectional(char) not in ("R", "AL", "AN"):
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """How many columns a line takes, as a formatter counts them: two for a letter of Chinese."""
    return len(text) + sum(unicodedata.east_asian_width(char) in ("W", "F") for char in text)


def field_name(name: str, taken: set[str]) -> str:
    """The name of a field in its class: the source's own where Python can spell it.

    `taken` are the names that may not be had, by USED and by Pydantic apart.
    """
    if _is_plain(name) and _is_free(name, taken):
        return name
    stem = _ascii_words(name, "_")[:_MOST_FIELD].strip("_").lower() or "field"
    if not stem[0].isalpha() or stem.startswith("model_"):
        stem = f"field_{stem}"
    if not _is_free(stem, taken) and _is_free(f"{stem}_", taken):
        return f"{stem}_"
    return _numbered(stem, "_", lambda one: _is_free(one, taken))


def _is_plain(name: str) -> bool:
    """Whether it is an identifier that Python reads as it stands and that a reader sees so."""
    return (
        name.isidentifier()
        and width(name) <= _MOST_FIELD
        and not name.startswith("_")
        and not keyword.iskeyword(name)
        # Python would normalise it, and the field would have another name.
        and unicodedata.normalize("NFKC", name) == name
        and all(unicodedata.bidirectional(char) in ("L", "EN", "ON") for char in name)
    )


def _is_free(name: str, taken: set[str]) -> bool:
    return not (
        name in taken
        or name in USED
        or keyword.iskeyword(name)
        or name in _PYDANTIC
        or name.startswith(("model_validate", "model_dump"))
    )


def class_name(name: str, taken: set[str]) -> str:
    """A name for a class or a type, after the field that has it."""
    words = re.split("_+", re.sub("([a-z0-9])([A-Z])", r"\1_\2", _ascii_words(name, "_")))
    stem = "".join(word[:1].upper() + word[1:] for word in words)[:_MOST_CLASS] or "Item"
    if not stem[0].isalpha():
        stem = "Item" + stem

    def is_free(one: str) -> bool:
        return one not in taken and one not in USED and not keyword.iskeyword(one)

    return stem if is_free(stem) else _numbered(f"{stem}Type", "", is_free)


def column_names(names: list[str], reserved: tuple[str, ...] = RESERVED) -> list[str]:
    """What the warehouse calls these fields: their own names where it can have them.

    It ignores case, knows no empty name, and has some columns of its own, the reserved ones.
    """
    found: list[str] = []
    taken = {name.lower() for name in names} | set(reserved)
    own: set[str] = set(reserved)
    for name in names:
        stem = name.replace("\0", "")
        if not stem or stem != name or name.lower() in own:
            stem = _numbered(stem or "unnamed", "_", lambda one: one.lower() not in taken)
        own.add(stem.lower())
        taken.add(stem.lower())
        found.append(stem)
    return found


def table_name(location: str) -> str:
    """A table's name after the file that a source is, or `records`."""
    path = re.split("[?#]", location)[0] if "://" in location else location
    stem = re.split(r"[\\/]", path.rstrip("/\\"))[-1].split(".")[0]
    if "://" in location and not re.search("://[^/]+/.", path):
        stem = ""
    name = _ascii_words(re.sub("%[0-9A-Fa-f]{2}", "_", stem), "_")[:50].strip("_").lower()
    if not name:
        return "records"
    return name if name[0].isalpha() else f"t_{name}"


def _ascii_words(name: str, between: str) -> str:
    plain = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode()
    return re.sub("[^A-Za-z0-9]+", between, plain)


def _numbered(stem: str, between: str, is_free: Callable[[str], bool]) -> str:
    if is_free(stem):
        return stem
    number = 2
    while not is_free(f"{stem}{between}{number}"):
        number += 1
    return f"{stem}{between}{number}"
