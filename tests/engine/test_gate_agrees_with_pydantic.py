"""Whatever the contract and however hostile the records: the gate's verdicts are Pydantic's."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import re
import tempfile
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest.contract import Contract
from ingest.errors import SourceError
from ingest.formats import Compression, Format
from ingest.gate import judge, lanes, parquet_lane
from ingest.gate.compiling import Unknown
from ingest.na import NA_IS_NULL
from ingest.steps import Limits, SourceFile, Step
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    TypeAdapter,
    ValidationError,
    create_model,
)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 0
    HIGH = 1


class Inner(BaseModel):
    a: int
    b: str | None = None


Value = TypeVar("Value")


class Holding(BaseModel, Generic[Value]):
    a: Value


class Chain(BaseModel):
    a: int
    b: Chain | None = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: Annotated[int, Field(ge=-3, le=250)]
    d: Decimal = Field(decimal_places=2, max_digits=8, ge=0)


SCALARS: list[Any] = [
    int,
    Annotated[int, Field(ge=0)],
    Annotated[int, Field(gt=-7, lt=1234)],
    Annotated[int, Field(le=-1)],
    float,
    Annotated[float, Field(ge=0, lt=100.5)],
    Annotated[float, Field(allow_inf_nan=False)],
    bool,
    str,
    Annotated[str, Field(min_length=1)],
    Annotated[str, Field(min_length=2, max_length=3)],
    Annotated[str, Field(pattern=r"^[A-Z]{2}$")],
    Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")],
    Annotated[str, Field(pattern=r"\d+-(?:x|y)?", max_length=8)],
    Annotated[str, Field(pattern=r"^\w*.$")],
    Annotated[str, Field(pattern=r"^[\][a]]$")],
    date,
    datetime,
    AwareDatetime,
    NaiveDatetime,
    UUID,
    Annotated[Decimal, Field(decimal_places=2)],
    Annotated[Decimal, Field(decimal_places=2, max_digits=5, gt=0)],
    Annotated[Decimal, Field(decimal_places=2, max_digits=3, le=Decimal("1.5"))],
    Annotated[Decimal, Field(decimal_places=30)],
    Annotated[Decimal, Field(decimal_places=0, ge=Decimal(-5))],
    Annotated[Decimal, Field(decimal_places=10, le=Decimal("1.5"))],
    Literal["a", "b c", "é"],
    Literal["a", None],
    Literal[1, 2, True],
    Colour,
    Level,
    int | str,
    int | bool,
    float | bool,
    int | float | str | None,
    Any,
]
HINTS: list[Any] = [
    *SCALARS,
    *(hint | None for hint in SCALARS if hint is not Any),
    Inner,
    Inner | None,
    Closed,
    Holding[int],
    Chain | None,
    list[Chain],
    list[int],
    list[Any],
    list[dict[str, int]],
    list[str | None],
    list[Inner],
    list[Closed] | None,
    Annotated[list[float], Field(min_length=1, max_length=2)],
    list[list[Annotated[str, Field(max_length=2)]]],
    dict[str, int],
    dict[str, Any],
    dict[str, str | None],
]
WITH_NA = [Annotated[hint | None, NA_IS_NULL] for hint in (int, float, bool, date, AwareDatetime)]
NAMES = ["a", "b", "A b", "é", "id", "line", "number", "r", 'q"uote', "x'y", "back\\slash"]


@st.composite
def contracts(draw: st.DrawFn, hints: list[Any]) -> type[BaseModel]:
    """A record model of some fields, some of them optional."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique_by=str.lower))
    fields: dict[str, Any] = {}
    for place, name in enumerate(names):
        hint = draw(st.sampled_from(hints))
        other = 7 if hint in (int, int | None, int | str) else None
        default = draw(st.sampled_from([..., ..., None, other]))
        fields[f"f{place}"] = (hint, Field(default, alias=name))
    extra = draw(st.sampled_from(["ignore", "ignore", "forbid"]))
    return create_model("Record", __config__=ConfigDict(extra=extra), **fields)


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
            values = (
                VALUES
                if draw(st.integers(0, 4)) == 0
                else fitting(
                    field.annotation
                    if not field.metadata
                    else Annotated[field.annotation, *field.metadata]
                )
            )
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


_ZERO = re.compile(r"(?<![\w.])-0\.0(?![\w.])")


def _verdicts(
    folder: Path, source: SourceFile, record: type[BaseModel], batch: int
) -> tuple[dict[int, Any], dict[int, str], str]:
    """The accepted rows by their place, the refused positions with reasons, and the way."""
    folder.mkdir()
    step = Step(batch, Limits(1.0), folder / "quarantine", "run")
    found = judge(source, Contract(record, (), "things"), step, folder)
    with duckdb.connect(str(found.staging)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [row[0] for row in connection.execute("DESCRIBE accepted").fetchall()[1:]]
        shown = ", ".join('"' + name.replace('"', '""') + '"::VARCHAR' for name in names)
        rows = connection.execute(f"SELECT {shown} FROM accepted ORDER BY _position").fetchall()
    refused = {}
    if found.quarantine:
        for line in found.quarantine.read_text("utf-8").strip("\n").split("\n"):
            entry = json.loads(line)
            refused[entry["position"]] = (entry["field"], entry["reason"], entry["raw"])
    assert found.accepted == len(rows)
    # Where few values stand in a block, DuckDB's Parquet keeps equal ones once: 0.0 and -0.0 are.
    kept = [tuple(text and _ZERO.sub("0.0", text) for text in row) for row in rows]
    return dict(enumerate(kept)), refused, found.way


def _outcome(folder: Path, source: SourceFile, record: type[BaseModel]) -> Any:
    """What _verdicts gives, or the message of a source that cannot be read."""
    try:
        return _verdicts(folder, source, record, 3)
    except SourceError as error:
        return str(error)


def assert_same(source_text: bytes, fmt: Format, record: type[BaseModel], **more: Any) -> None:
    """Both ways of judging give the same verdicts, values and quarantine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "source"
        path.write_bytes(source_text)
        source = SourceFile(path, fmt, "the source", path.stat().st_size, Compression.NONE, **more)
        fast = _outcome(folder / "fast", source, record)

        def closed(_: Any) -> Any:
            raise Unknown("nothing")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes, "compiled", closed)
            patch.setattr(parquet_lane, "compiled", closed)
            slow = _outcome(folder / "slow", source, record)
        if isinstance(slow, str):
            assert fast == slow
            return
        assert slow[2].startswith("Pydantic, record by record")
        assert fast[1] == slow[1]
        assert fast[0] == slow[0]


FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FUZZ
@given(st.data())
def test_json_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts(HINTS))
    text = "\n".join(data.draw(lines(record)))
    assert_same(text.encode("utf-8", "surrogatepass"), Format.NDJSON, record)


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
            hint = field.annotation
            hint = Annotated[hint, *field.metadata] if field.metadata else hint
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


@FUZZ
@given(st.data())
def test_what_a_program_writes_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts(HINTS))
    text = "\n".join(data.draw(alike(record)))
    assert_same(text.encode("utf-8", "surrogatepass"), Format.NDJSON, record)


BETWEEN = [",", ", ", ",\n", "\n,", ",\r\n  ", " , ", "", ",,", ",7,", "\n"]
ENDS = ["]", "\n]\n", ", 1]", "", "]]", ",]", "] "]


@FUZZ
@given(st.data())
def test_an_array_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts(HINTS))
    found = [line for line in data.draw(lines(record)) if line.strip()] * 4 or ["{}"]
    # Elements that begin alike are cut by what stands between them.
    alike = data.draw(st.integers(0, 3))
    found = ['{"first":1,' + line[1:] if alike and line[:2] == '{"' else line for line in found]
    if data.draw(st.integers(0, 3)) == 0:
        place = data.draw(st.integers(0, len(found) - 1))
        found[place] = '{"first":1,"z":[{"first":1},{"first":2}]}'
    usual = data.draw(st.sampled_from(BETWEEN[:6]))
    between = [usual] * len(found)
    if data.draw(st.integers(0, 3)) == 0:
        between[len(found) // 2] = data.draw(st.sampled_from(BETWEEN))
    between[-1] = data.draw(st.sampled_from(ENDS if data.draw(st.booleans()) else ENDS[:2]))
    text = "[" + "".join(itertools.chain(*zip(found, between, strict=True)))
    assert_same(text.encode("utf-8", "surrogatepass"), Format.JSON, record)


@FUZZ
@given(st.data())
def test_csv_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(
        contracts([*SCALARS, *WITH_NA, *(hint | None for hint in SCALARS if hint is not Any)])
    )
    names = [field.alias or "" for field in record.model_fields.values()]
    header = data.draw(st.lists(st.sampled_from([*names, "other"]), unique=True, min_size=1))
    rows = data.draw(
        st.lists(st.lists(TEXTS, min_size=len(header), max_size=len(header)), max_size=8)
    )
    if data.draw(st.integers(0, 4)) == 0:
        rows.append(["x"] * data.draw(st.integers(1, len(header) + 2)))
    out = io.StringIO(newline="")
    ending = data.draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]))
    mark = data.draw(st.sampled_from([",", ";", "\t", "|", "€", " "]))
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(out, lineterminator=ending, quoting=quoting, delimiter=mark)
    writer.writerows([header, *rows])
    text = out.getvalue().encode("utf-8", "replace")
    assert_same(text, Format.CSV, record, delimiter=mark)


WHOLE = ["0", "1", "-7", "100"]
SOME = ["0", "1.5", "-0.0", "19.99", "250"]
FLOATS = [*SOME, "nan", "inf", "1e38", "0.1"]
DAYS = ["2024-02-29", "0001-01-01", "9999-12-31", "infinity", "0044-03-15 (BC)", "12024-01-01"]
TIMES = [*DAYS, "2024-01-31 10:00:00", "2024-01-31 10:00:00.123456", "1677-09-22 00:00:00"]
# Columns of each type, with values that are cast to it.
COLUMNS = {
    "int": dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), WHOLE)
    | {name: ["0", "1", "100"] for name in ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")}
    | {"BIGINT": [*WHOLE, "9007199254740993", str(2**63 - 1), str(-(2**63))]},
    "float": {"FLOAT": FLOATS, "DOUBLE": FLOATS, "BIGINT": WHOLE},
    "Decimal": {f"DECIMAL({size})": SOME for size in ("5,2", "38,2", "10,1", "38,10", "18,0")}
    | {"DECIMAL(38,1)": ["9" * 37, "-" + "9" * 12]},
    "datetime": {f"TIMESTAMP{unit}": TIMES for unit in ("", "_S", "_MS", "TZ")}
    # DuckDB writes no Parquet file with an infinite time in seconds.
    | {"TIMESTAMP_S": [time for time in TIMES if time != "infinity"]}
    | {"TIMESTAMP_NS": ["2024-01-31 10:00:00.123456789"]},
    "date": {"DATE": DAYS, "TIMESTAMP": TIMES},
    "bool": {"BOOLEAN": ["true", "false"], "TINYINT": ["0", "1", "2"]},
    "UUID": {"UUID": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]},
    "str": {"VARCHAR": HOSTILE_TEXTS, "BLOB": ["a", "\\xFF"], "ENUM('a','red')": ["a", "red"]},
    "list": {"INTEGER[]": ["[]", "[1, NULL]"], "VARCHAR[]": ["[a]"], "DOUBLE[]": ["[1.5]"]},
    "dict": {"MAP(VARCHAR, INTEGER)": ["{k=1}", "{}"]},
    "Inner": {"STRUCT(a INTEGER, b VARCHAR)": ["{'a': 1, 'b': x}", "{'a': NULL, 'b': NULL}"]},
}
PAIRS = [(kind, values) for columns in COLUMNS.values() for kind, values in columns.items()]


@st.composite
def parquet_column(draw: st.DrawFn, hint: str, rows: int) -> tuple[str, list[str | None]]:
    """A type in Parquet, which often suits the hint, and as many values as text."""
    suited = [pair for name, found in COLUMNS.items() if name in hint for pair in found.items()]
    kind, values = draw(st.sampled_from(suited if suited and draw(st.integers(0, 4)) else PAIRS))
    one = st.one_of(st.sampled_from(values), st.sampled_from([*values, None]))
    return kind, draw(st.lists(one, min_size=rows, max_size=rows))


@FUZZ
@given(st.data())
def test_parquet_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts([*HINTS, *WITH_NA]))
    rows = data.draw(st.integers(0, 7))
    kinds: dict[str, tuple[str, list[str | None]]] = {}
    for field in record.model_fields.values():
        if data.draw(st.integers(0, 9)):
            hint = str(field.annotation)
            kinds[field.alias or ""] = data.draw(parquet_column(hint, rows))
    others = st.sampled_from(["other", "file_row_number", "filename", "_position", "_raw"])
    if not kinds or not data.draw(st.integers(0, 3)):
        kinds[data.draw(others)] = ("VARCHAR", ["x"] * rows)
    shown = ", ".join(
        f"unnest(?::VARCHAR[])::{kind} AS " + '"' + name.replace('"', '""') + '"'
        for name, (kind, _) in kinds.items()
    )
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        path = Path(folder) / "x.parquet"
        values = [values for _, values in kinds.values()]
        connection.execute(f"COPY (SELECT {shown}) TO '{path}' (FORMAT parquet)", values)
        content = path.read_bytes()
    assert_same(content, Format.PARQUET, record)


_STRUCT = st.fixed_dictionaries(
    {"a": st.one_of(st.integers(-9, 9), st.none()), "b": st.sampled_from([None, "x", ""])}
)
NESTED = {
    "BIGINT": st.integers(-9, 300),
    "BIGINT[]": st.lists(st.one_of(st.integers(-9, 9), st.none()), max_size=2),
    "STRUCT(a BIGINT, b VARCHAR)": _STRUCT,
    "STRUCT(b VARCHAR, z DATE, a BIGINT)[]": st.lists(
        st.one_of(_STRUCT.map(lambda one: one | {"z": None}), st.none()), max_size=2
    ),
    "STRUCT(a BIGINT, d DECIMAL(9,2))[]": st.lists(
        st.fixed_dictionaries({"a": st.integers(-5, 300), "d": st.decimals(-1, 9, places=2)}),
        max_size=2,
    ),
}


@FUZZ
@given(st.data())
def test_nested_parquet_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(
        contracts([Inner, Inner | None, Closed, list[int], list[Inner], list[Closed] | None])
    )
    names = [field.alias or "" for field in record.model_fields.values()]
    header = data.draw(st.lists(st.sampled_from([*names, "other"]), unique=True, min_size=1))
    kinds = [data.draw(st.sampled_from(sorted(NESTED))) for _ in header]
    cells = [st.one_of(NESTED[kind], st.none()) for kind in kinds]
    rows = data.draw(st.lists(st.tuples(*cells), min_size=1, max_size=6))
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        quoted = ['"' + name.replace('"', '""') + '"' for name in header]
        shape = ", ".join(f"{name} {kind}" for name, kind in zip(quoted, kinds, strict=True))
        connection.execute(f"CREATE TABLE given ({shape})")
        marks = ", ".join("?" for _ in header)
        connection.executemany(f"INSERT INTO given VALUES ({marks})", rows)
        path = Path(folder) / "given.parquet"
        connection.execute(f"COPY given TO '{path}' (FORMAT parquet)")
        assert_same(path.read_bytes(), Format.PARQUET, record)
