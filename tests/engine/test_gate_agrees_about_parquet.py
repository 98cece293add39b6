"""As test_gate_agrees_with_pydantic, for columns that come with types of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
from hypothesis import given
from hypothesis import strategies as st
from ingest.formats import Format

from .contracts import HINTS, WITH_NA, Closed, Inner, contracts
from .records import HOSTILE_TEXTS
from .verdicts import FUZZ, assert_same

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
