"""Records for a contract, right ones and hostile ones, drawn by hypothesis."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Annotated, Any

from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from .contracts import NAMES

HOSTILE_TEXTS = [
    "",
    " ",
    "0",
    "-0",
    "007",
    "1",
    " 1",
    "1 ",
    "+1",
    "1_000",
    "1.0",
    "1.50",
    "1e3",
    "12.345",
    "0.1",
    "-5.5",
    "NaN",
    "Infinity",
    "-inf",
    "NA",
    "null",
    "true",
    "True",
    "yes",
    "on",
    "f",
    "AB",
    "ab",
    "ÄÖ",
    "AB\n",
    "a@b.c",
    "a@b.c\u000b",
    "é@b.c",
    "1-x",
    "\u0663-x",
    "9223372036854775807",
    "9223372036854775808",
    "2024-02-29",
    "2023-02-29",
    "2024-02-30",
    "2024-13-01",
    "0000-01-01",
    "1700000000",
    "2024-01-31T10:00:00",
    "2024-01-31 10:00:00.123456",
    "2024-01-31T10:00:00Z",
    "2024-01-31t10:00:00z",
    "2024-01-31T10:00:00.1234567Z",
    "2024-01-31T10:00:00+05:30",
    "2024-01-31T23:59:60Z",
    "2024-01-31T10:00Z",
    "2024-01-31T10:00:00+15:59",
    "2024-01-31T10:00:00-23:59",
    "1000-01-01T00:00:00+13:59",
    "2999-12-31T23:59:59-13:59",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6BA7B8109DAD11D180B400C04FD430C8",
    "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
    "red",
    "RED",
    "b c",
    "é",
    "e\u0301",
    "🤦🏼‍♂️",
    'q"u',
    "back\\",
    "tab\t",
    "line\nbreak",
    "\u2028",
    "\ufeff",
    "\ufeff1",
    "]",
    "a]",
    "123456789.5",
    "\x00",
    "\x7f",
    "a'b",
    "a,b",
    "{}",
    "[]",
    "{{",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(max_size=6))
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 250, 251, 1234, 2**53 + 1, 10**17, 10**18, 2**63, 10**30]),
    st.integers(-2000, 2000),
    st.sampled_from(
        [
            0.0,
            -0.0,
            1.0,
            0.1,
            19.99,
            1.005,
            999.99,
            1e-7,
            1e22,
            1e300,
            123456789012.34,
            0.30000000000000004,
        ]
    ),
    st.decimals(-(10**6), 10**6, places=2).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*NAMES, "a", "b", "d"]), inner, max_size=3),
    ),
    max_leaves=6,
)
_FITTING: dict[Any, st.SearchStrategy[Any]] = {}


def fitting(hint: Any) -> st.SearchStrategy[Any]:
    """JSON values that are often right for a type."""
    key = repr(hint)
    if key not in _FITTING:
        inner = [TEXTS, NUMBERS, st.booleans(), st.none()]
        if any(name in key for name in ("Inner", "Closed", "Holding", "Chain")):
            fields = {"a": st.integers(-5, 300), "d": st.sampled_from([0, 1.25, "2.50", 1.005])}
            more = {"b": st.one_of(TEXTS, st.none()), "z": VALUES}
            one = st.fixed_dictionaries(fields, optional=more)
            small = st.fixed_dictionaries({"a": st.integers(0, 9), "d": st.just(1.5)})
            inner = [one, small, st.fixed_dictionaries({"a": st.integers(0, 9)})]
            inner += [st.lists(item, max_size=3) for item in list(inner)]
        elif "list" in key:
            inner = [st.lists(item, max_size=3) for item in inner]
            inner.append(st.lists(st.lists(TEXTS, max_size=2), max_size=2))
        elif "dict" in key:
            inner = [st.dictionaries(TEXTS, item, max_size=3) for item in inner]
        _FITTING[key] = st.one_of(*inner)
    return _FITTING[key]


# Other ways to write an integer, and what is not quite one.
SPELT = [
    r":\1.0",
    r":\1e0",
    r":\1E+1",
    r":\1.50",
    ":-0",
    ":-0.0",
    r":\1.",
    r":0\1",
    ":" + "9" * 5000,
]


def _escaped(key: str) -> str:
    """A key whose first character is written by its number."""
    return f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}'


def _hint(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _dumped(value: Any, ascii_only: bool, loose: bool) -> str:
    separators = (" ,  ", " : ") if loose else (",", ":")
    return json.dumps(value, ensure_ascii=ascii_only, separators=separators)


@st.composite
def lines(draw: st.DrawFn, record: type[BaseModel]) -> list[str]:
    """Records as JSON text: right ones, wrong ones, and what is no record at all."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        pairs = []
        for field in record.model_fields.values():
            if draw(st.integers(0, 9)) == 0:
                continue
            values = VALUES if draw(st.integers(0, 4)) == 0 else fitting(_hint(field))
            pairs.append((field.alias, draw(values)))
        if draw(st.integers(0, 4)) == 0:
            pairs.append((draw(st.sampled_from([*NAMES, "other", "F0"])), draw(VALUES)))
        if draw(st.integers(0, 5)) == 0:
            pairs = draw(st.permutations(pairs))
        ascii_only, loose = draw(st.booleans()), draw(st.integers(0, 5)) == 0
        text = ",".join(
            f"{_dumped(key, ascii_only, loose)}:{_dumped(value, ascii_only, loose)}"
            for key, value in pairs
        )
        line = "{" + text + "}"
        kind = draw(st.integers(0, 19))
        if kind == 0:
            line = draw(
                st.sampled_from(["", " ", "[]", "1", "null", "{", '{"a":}', "{} {}", line[:-1]])
            )
        elif kind == 1:
            line = line.replace(":1", ":01").replace("0.", "00.")
        elif kind == 2:
            line = line.replace(":", ":NaN", 1)
        elif kind in (3, 4):
            line = re.sub(r":(-?\d+)\b(?![.eE])", draw(st.sampled_from(SPELT)), line)
        elif kind == 5 and pairs:
            twice = f"{_escaped(pairs[0][0])}:{_dumped(draw(VALUES), ascii_only, loose)}"
            line = line[:-1] + "," + twice + "}"
        elif kind == 6:
            line = draw(st.sampled_from(["\ufeff", "\x00", "\t", "\r"])) + line
        found.append(line.replace("\n", " "))
    return found


_SOUND: dict[str, list[Any]] = {}


def sound(hint: Any) -> list[Any]:
    """JSON values that Pydantic accepts for a type, each once."""
    key = repr(hint)
    if key not in _SOUND:
        small = [0, 1, -3, 7, 250, 1.25, 0.5, -0.0, 12.34, 123456789012.34, 2**53 + 1, 10**18]
        plain = [*HOSTILE_TEXTS, *small, 1e22, 1e-7, 2**63, 10**30, True, False, None]
        objects = [{"a": 1}, {"a": 1, "b": "x"}, {"a": 1, "b": None}, {"a": 1, "d": 2.5}, {}]
        lists = [[], [1], [1, 2.5], ["a", None, "b c"], [["ab"], []], [objects[0], objects[1]]]
        adapter, found = TypeAdapter(hint), []
        for value in [*plain, *objects, *lists, [objects[2]], [objects[3]] * 2]:
            with contextlib.suppress(ValidationError):
                adapter.validate_python(value)
                found.append(value)
        _SOUND[key] = found
    return _SOUND[key]


# What is changed in a line: another spelling of the same, or what is no record any more.
_SPOILED = [
    (r":(-?\d+)\b(?![.eE])", lambda found: f":{found[1]}.0"),
    (r":(-?\d+)\b(?![.eE])", lambda found: f":{found[1]}e0"),
    (r":-?\d[^,}\]]*", lambda _: ":NaN"),
    (r":-?\d[^,}\]]*", lambda _: ":-Infinity"),
    (r":-?\d[^,}\]]*", lambda _: ":-0"),
    (r":-?\d[^,}\]]*", lambda _: ":99999999999999999999"),
    (r":(-?\d[^,}\]]*)", lambda found: f':"{found[1]}"'),
    (r":(-?\d[^,}\]]*)", lambda found: f":{found[1]}0"),
    (r':"([^"\\]*)"', lambda found: f":{found[1]}"),
    (r":[^,}\]]*", lambda _: ":null"),
    (r':"([^"\\])', lambda found: f':"\\u{ord(found[1]) % 65536:04x}'),
    (r"[,:]", lambda found: f"{found[0]} "),
    (r",", lambda _: ',"other":1,'),
    (r",", lambda _: ',"A":null,'),
    (r"\{(.*?),", lambda found: f"{{{found[1]},{found[1]},"),
    (r"(?s)\{(.+)\}", lambda found: f"{{{found[1]},{found[1]}}}"),
    (r',"[^"]*":[^,}]*', lambda _: ""),
    (r'"[^"]*":[^,}]*,', lambda _: ""),
    (r"\}$", lambda _: ""),
    (r"$", lambda _: "}"),
    (r"^", lambda _: "\x00"),
    (r"^", lambda _: "\ufeff"),
    (r"$", lambda _: "\r"),
]


@st.composite
def alike(draw: st.DrawFn, record: type[BaseModel]) -> list[str]:
    """Records that a program writes: in one order, without spaces; some lines spoiled."""
    fields = list(record.model_fields.values())
    if draw(st.integers(0, 3)) == 0:
        fields = draw(st.permutations(fields))
    may_lack = {
        field.alias or "": place > 0 and field.default is None and draw(st.booleans())
        for place, field in enumerate(fields)
    }
    found = []
    for _ in range(draw(st.integers(2, 9))):
        pairs = []
        for field in fields:
            hint = _hint(field)
            if may_lack[field.alias or ""] and draw(st.booleans()):
                continue
            known = draw(st.integers(0, 15)) and sound(hint)
            value = draw(st.sampled_from(known) if known else fitting(hint))
            pairs.append((field.alias, value))
        line = json.dumps(dict(pairs), ensure_ascii=False, separators=(",", ":"))
        if draw(st.integers(0, 2)) == 0:
            pattern, change = draw(st.sampled_from(_SPOILED))
            places = [hit.start() for hit in re.finditer(pattern, line)]
            if places:
                place = draw(st.sampled_from(places))
                line = line[:place] + re.sub(pattern, change, line[place:], count=1)
        found.append(line)
    return found
