"""An inferred contract accepts every record of its source, and all of it lands."""

import json
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from judging import TODAY, cells, column, inferred, landed, ndjson

from ingest.errors import ContractError, PipelineError
from ingest.inference import infer
from ingest.inference.checking import check
from ingest.inference.marks import inferred_from
from ingest.schema import columns_of
from ingest.sources import fetch
from runtime.project import ROOT

ODD: list[list[Any]] = [
    [{"a": 1}, {"a": None}, {}],
    [{"a": 1}, {"a": "1"}, {"a": True}, {"a": 1.5}, {"a": None}],
    [{"a": []}, {"a": [None]}, {"a": [1, "x"]}, {"a": {"b": 1}}],
    [{"a": {}}, {"a": {"b": {}}}, {"a": {"b": {"c": []}}}],
    [{"a": [[1], [], [[2]]]}, {"a": "text"}],
    [{"a": 2**63}, {"a": -(2**70)}],
    [{"a": 10**40}],
    [{"a": 2**60}, {"a": 0.5}],
    [{"a": 2**70}, {"a": "x"}],
    [{"a": 1e308}, {"a": -0.0}, {"a": 1e-320}],
    [{"a": json.loads("[" * 254 + "]" * 254)}, {"a": json.loads('{"": ' * 253 + "1" + "}" * 253)}],
    [{"a": "2024-01-01"}, {"a": "2024-02-30"}],
    [{"a": "2024-01-01T00:00:00Z"}, {"a": "2024-01-01T00:00:00"}],
    [{"a": "0001-01-01T00:00:00+14:00"}, {"a": "9999-12-31T23:59:59-12:00"}],
    [{"a": "20240101"}, {"a": "1700000000"}],
    [{"a": "24:00:00"}, {"a": "23:59:60"}],
    [{"a": ""}, {"a": "\x00"}, {"a": "\u2028"}],
    [{"a": {"A": 1, "a": 2, "": 3, "_x": 4, "root": 5, "date": "2024-01-01"}}],
    [{"Name": 1, "name": 2, "NAME": 3, "name_2": 4, "NAME_2": 5}],
    [{"": 1, "unnamed": 2, "Unnamed": 3}],
    [{"x\x00y": 1, "xy": 2}],
    [{"_position": 1, "_RUN_ID": 2, "_loaded_at": 3, "_raw": 4}],
    [{"a": {str(n): n for n in range(2000)}}, {"a": {"x": "text"}}],
    [{f"field {n}": n for n in range(1200)}],
    [{"a": [{"k": n, "v": None} for n in range(5)]}, {"a": [{"k": "x"}]}],
    [{"verification_details_result": v} for v in (1, 2**60, 2.5, True, "x", [{"a": 1}], {"b": 1})],
    # Letters that take two columns each.
    [{"한국어의 긴 이름" * 4: 1, "名" * 38: "2024-01-01 10:00:00"}, {"名" * 38: None}],
]


@pytest.mark.parametrize("records", ODD)
def test_every_record_is_accepted_and_lands_with_every_field(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    path = ndjson(tmp_path, records)
    found, contract = inferred(path)
    rows = landed(path, contract)
    assert len(rows) == found.records == len(records)
    assert len(found.columns) == len({name for record in records for name in record})


def some_value(dice: random.Random, depth: int) -> Any:
    plain = [None, 0, -1, 2**64, 1.5, 1e300, True, "", "a", "2024-01-01", "12", "é\n'\""]
    if depth and dice.random() < 0.4:
        inner = [some_value(dice, depth - 1) for _ in range(dice.randrange(4))]
        return inner if dice.random() < 0.5 else dict(zip("abAB", inner, strict=False))
    return dice.choice(plain)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_records_hold_they_land(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    names = ["id", "class", "_x", "Date", "date", "a b", "json"]
    records = [
        {name: some_value(dice, 4) for name in names if dice.random() < 0.8} for _ in range(30)
    ]
    path = ndjson(tmp_path, [{"id": 0}, *records])
    _, contract = inferred(path)
    assert len(landed(path, contract)) == 31


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0"], "BIGINT"),
        (["1", ""], "BIGINT"),
        (["1", "NA"], "BIGINT"),
        (["007", "8"], "VARCHAR"),
        (["+1", "2"], "VARCHAR"),
        (["-0", "0"], "VARCHAR"),
        (["-0.0", "0.5"], "DECIMAL(38, 1)"),
        (["1_000"], "VARCHAR"),
        ([" 1"], "VARCHAR"),
        (["１２"], "VARCHAR"),
        (["9223372036854775807"], "BIGINT"),
        (["9223372036854775808"], "DECIMAL(38, 0)"),
        (["1" * 39], "VARCHAR"),
        (["1.50", "2"], "DECIMAL(38, 2)"),
        (["41.123456789", "2"], "DOUBLE"),
        (["0.123456789012345678", "2"], "DECIMAL(38, 18)"),
        (["0.1234567890123456789", "2"], "VARCHAR"),
        (["1.5e3", "2"], "DOUBLE"),
        (["1.23456789012345678901e2", "2.5e1"], "VARCHAR"),
        (["1e-400", "1.5"], "VARCHAR"),
        (["1.000000000000000056e-01", "-2.2250738585072014e-308"], "DOUBLE"),
        (["12E03", "123"], "VARCHAR"),
        (["1e999"], "VARCHAR"),
        (["inf", "nan"], "VARCHAR"),
        (["true", "false"], "BOOLEAN"),
        (["0", "1"], "BIGINT"),
        (["yes", "no"], "VARCHAR"),
        (["2024-02-29", "NA"], "DATE"),
        (["2023-02-29"], "VARCHAR"),
        (["20240101"], "BIGINT"),
        (["2024-01-01", "2024-01-01T10:00:00"], "VARCHAR"),
        (["2024-01-01 10:00:00"], "TIMESTAMP"),
        (["2024-01-01T10:00:00.123456+02:00"], "TIMESTAMPTZ"),
        (["2024-01-01T10:00:00.123456789"], "VARCHAR"),
        (["10:30:00"], "TIME"),
        (["25:00:00"], "VARCHAR"),
        (["12345678-1234-1234-1234-1234567890ab"], "UUID"),
        (["12345678-1234-1234-1234-1234567890AB"], "VARCHAR"),
        (["NA", "NA"], "VARCHAR"),
        (["Namibia", "NA"], "VARCHAR"),
        (["", ""], "VARCHAR"),
    ],
)
def test_a_cell_gets_a_type_only_where_no_value_changes(
    tmp_path: Path, values: list[str], kind: str
) -> None:
    path = cells(tmp_path, ["x", "y"], [[value, "y"] for value in values])
    assert column(path) == kind
    assert len(landed(path, inferred(path)[1])) == len(values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], "DOUBLE"),
        ([2**60, 2.5], "JSON"),
        ([2**63], "DECIMAL(38, 0)"),
        ([True, 1], "JSON"),
        ([None, None], "JSON"),
        (["12", "007"], "VARCHAR"),
        (["2024-01-01", None], "DATE"),
        (["2024-01-01T00:00:00Z"], "TIMESTAMPTZ"),
        ([[1], [None]], "BIGINT[]"),
        ([[]], "JSON[]"),
        ([{}], "MAP(VARCHAR, JSON)"),
        ([{"2024-01-01": 1}, {"2024-01-02": 2}], "MAP(VARCHAR, BIGINT)"),
        ([{"a": 1}, {"b": "t"}], 'STRUCT("a" BIGINT, "b" VARCHAR)'),
        ([{f"k{n}": [n] for n in range(200)}], "MAP(VARCHAR, BIGINT[])"),
        ([{f"k{n}": n if n % 2 else "x" for n in range(743)}], "MAP(VARCHAR, JSON)"),
        ([{f"k{n}": n if n % 2 else "x"} for n in range(200)], "MAP(VARCHAR, JSON)"),
    ],
)
def test_a_json_value_gets_its_type(tmp_path: Path, values: list[Any], kind: str) -> None:
    assert column(ndjson(tmp_path, [{"x": value} for value in values])) == kind


def test_a_column_has_the_sources_own_name_where_the_warehouse_can_have_it(tmp_path: Path) -> None:
    names = ["Unit Price", "class", "date", "_x", "a\nb", "名", "Name", "NAME", "_run_id", ""]
    found, contract = inferred(ndjson(tmp_path, [dict.fromkeys(names, "v")]))
    assert list(found.columns) == [*names[:7], "NAME_2", "_run_id_2", "unnamed"]
    (row,) = landed(tmp_path / "things.ndjson", contract)
    assert set(row.values()) == {0, "v"} or set(row.values()) == {1, "v"}


def test_numbers_keep_their_last_digit(tmp_path: Path) -> None:
    whole = 12345678901234567890123456789
    path = ndjson(tmp_path, [{"big": whole, "both": 2**60 + 1}, {"big": 1, "both": 0.5}])
    rows = landed(path, inferred(path)[1])
    assert rows[0]["big"] == Decimal(whole)
    assert json.loads(rows[0]["both"]) == 2**60 + 1


def test_what_begins_late_is_seen(tmp_path: Path) -> None:
    rows = [[str(number), str(number), "1"] for number in range(25_000)]
    rows[24_000] = ["24000", "7", "NA"]  # no key any more, and no plain integer
    rows[24_500] = ["24500", "24500", ""]
    path = cells(tmp_path, ["order_code", "id", "size"], rows)
    found, contract = inferred(path)
    assert found.key == ("order_code",)
    assert "size: Annotated[int | None, NA_IS_NULL] = None" in found.text
    assert contract.record.model_validate({"order_code": "1", "id": "1", "size": "NA"})


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"name": "a", "id": 1}, ("id",)),
        ({"customerId": 1, "orderId": 2}, ("customerId",)),
        ({"customer_id": 1, "thing_id": 2}, ("thing_id",)),  # the table is called things
        ({"name": "a", "phone_number": "1"}, ()),
        ({"id": None, "name": "a"}, ()),
        ({"id": 1.5}, ()),
        ({"valid": "x", "paid": "y"}, ()),
    ],
)
def test_a_key_is_named_like_one(tmp_path: Path, record: dict[str, Any], key: tuple[str]) -> None:
    assert inferred(ndjson(tmp_path, [record]))[0].key == key


def test_few_values_that_come_often_are_a_choice_and_codes_of_countries_are_not(
    tmp_path: Path,
) -> None:
    records = [
        {"status": ("open", "paid")[n % 2], "country": ("NO", "SE")[n % 2], "note": f"n{n}"}
        for n in range(100)
    ]
    found, _ = inferred(ndjson(tmp_path, records))
    assert 'status: Literal["open", "paid"]' in found.text
    assert "country: str" in found.text and "note: str" in found.text


HOSTILE = [
    "__import__('os').system('touch pwned')",
    '"""\nimport os\n"""',
    "'); import os; ('",
    "\\",
    "a\nb",
    "{" + "{ 7 * 7 }}{" + "% raw %}",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "ﬁeld",
    "class",
    "None",
    "_x",
    "__class__",
    "",
    " ",
    "Record",
    "CONTRACT",
    "KEY",
    "date",
    "Literal",
    "Field",
    "BaseModel",
    "str",
    "int",
    "model_config",
    "model_dump",
    "model_dump_2",
    "model_fields",
    "copy",
    "json",
    "schema",
    "validate",
    "root",
    "l",
    "Decimal2",
    "Status",
    "status",
    "ID",
    "id",
    "x" * 5000,
    "# noqa",
    "${HOME}",
    "שלום",
    "имя",
]


def test_nothing_of_a_hostile_source_runs_and_all_of_it_lands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [
        {name: HOSTILE[(place + turn) % 3] for place, name in enumerate(HOSTILE)}
        | {"date": "2024-01-01", "int": turn, "nested": dict.fromkeys(HOSTILE, turn)}
        for turn in range(150)
    ]
    path = ndjson(tmp_path, records)
    found, contract = inferred(path)
    rows = landed(path, contract)
    assert not (tmp_path / "pwned").exists()
    assert len(rows) == 150 and len(found.columns) == len(HOSTILE) + 1
    for name in HOSTILE[:12]:
        assert rows[7][name] == records[7][name]
    assert found.text.replace("\n", "").isprintable()


def test_code_that_is_not_the_writers_own_is_refused() -> None:
    for code in (
        "import os",
        "from os import system",
        "x = __import__('os')",
        "class Record(BaseModel):\n    x: str = Field(default=open('x'))",
        "class Record(BaseModel):\n    x: str = Field.mro",
        "class Record(object):\n    pass",
        "x = [1 for y in z]",
        "f'{x}'",
        "print('x')",
        "x = (",
    ):
        with pytest.raises(ContractError, match="not written, because"):
            check(code, {"Record"})


def test_a_parquet_file_says_its_types_itself(tmp_path: Path) -> None:
    path = tmp_path / "things.parquet"
    duckdb.execute(
        """COPY (SELECT * FROM (VALUES
            (1::UBIGINT, '2024-01-01', DATE '2024-01-01', 1.50::DECIMAL(9, 2),
             struct_pack(a := 1, moment := TIMESTAMPTZ '2024-01-01 00:00:00Z'), [1, NULL],
             MAP(['k'], [1.5]), 'nan'::DOUBLE, INTERVAL 1 DAY, '\\xFF'::BLOB, NULL::INTEGER),
            (2, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
            t(id, word, day, price, within, list, map, share, span, bytes, empty))
        """
        + f"TO '{path}' (FORMAT parquet)"
    )
    found, contract = inferred(path)
    assert found.key == ("id",)
    assert {name: found.columns[name] for name in ("id", "word", "day", "price", "empty")} == {
        "id": "BIGINT",
        "word": "VARCHAR",
        "day": "DATE",
        "price": "DECIMAL(38, 2)",
        "empty": "BIGINT",
    }
    rows = landed(path, contract)
    assert rows[0]["price"] == Decimal("1.50") and rows[1]["day"] is None
    assert rows[0]["map"] == {"k": 1.5} and rows[0]["bytes"] == "/w=="


def test_a_type_that_fails_for_one_record_is_widened(tmp_path: Path) -> None:
    path = tmp_path / "things.parquet"
    # A day that Python has no date for; the file's type says nothing of it.
    day = "CASE range WHEN 400 THEN '0044-03-15 (BC)' ELSE '2024-01-01' END::DATE"
    duckdb.execute(
        f"COPY (SELECT range AS id, {day} AS x FROM range(500)) TO '{path}' (FORMAT parquet)"
    )
    found, contract = inferred(path)
    assert found.columns["x"] == "JSON" and found.widened == ("x",)
    assert "over 500 records" in found.text
    assert len(landed(path, contract)) == 500


def test_records_that_are_none_are_passed_over_and_told(tmp_path: Path) -> None:
    path = tmp_path / "things.ndjson"
    deep = "".join('{"a": %s}\n' % ("[" * depth + "]" * depth) for depth in (255, 300, 900, 5000))
    path.write_text('{"a": 1}\n{broken\n[1]\n{"a": "\\ud800"}\n' + deep, "utf-8")
    found, contract = inferred(path)
    assert (found.records, found.faulty) == (1, 7)
    assert found.first_fault and found.first_fault.startswith("record 2: the line is not JSON")
    assert columns_of(contract.record) == {"a": "BIGINT"}


@pytest.mark.parametrize("text", ["", "{}\n{}\n", "[1]\n"])
def test_a_source_without_a_field_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "things.ndjson"
    path.write_text(text, "utf-8")
    with pytest.raises(PipelineError, match="holds no record|have no field"):
        infer(fetch(str(path), tmp_path), TODAY)


def test_the_mark_fits_until_somebody_edits_the_code(tmp_path: Path) -> None:
    text = inferred(ndjson(tmp_path, [{"id": 1}]))[0].text
    source = str(tmp_path / "things.ndjson")
    assert inferred_from(text) == source
    assert inferred_from(text.replace("\n\n\n", "\n\n") + "# a note\n") == source
    assert inferred_from(text.replace("id: int", "id: str")) is None
    assert inferred_from(text.replace(source, "elsewhere")) is None
    assert inferred_from(text + "def broken(") is None
    assert inferred_from("x = 1") is None


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("2024-Orders v2.ndjson", "t_2024_orders_v2"),
        ("größe.ndjson", "groe"),
        ("名.ndjson", "records"),
    ],
)
def test_the_table_is_named_after_the_file(tmp_path: Path, name: str, table: str) -> None:
    assert inferred(ndjson(tmp_path, [{"a": 1}], name))[0].table == table


@pytest.mark.parametrize("number", range(len(ODD)))
def test_the_code_is_laid_out_as_the_formatter_would(tmp_path: Path, number: int) -> None:
    records = [*ODD[number], {name: {name: [None, "x"]} for name in HOSTILE}]
    text = inferred(ndjson(tmp_path, records))[0].text
    place = ["--stdin-filename", "src/data_pipeline/contract.py", "-"]
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *place],
            cwd=ROOT,
            input=text.encode(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
