"""Whatever the contract and however hostile the records: the gate's verdicts are Pydantic's."""

from __future__ import annotations

import csv
import io
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ingest.formats import Format

from .contracts import HINTS, SCALARS, WITH_NA, contracts
from .records import TEXTS, alike, lines
from .verdicts import FUZZ, assert_same

# Bytes of a line that one expression matches: lines as short as these are cut at all their keys,
# at some, or at none.
PIECES = st.sampled_from([5, 15, 120])


@FUZZ
@given(st.data())
def test_json_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts(HINTS))
    text = "\n".join(data.draw(lines(record)))
    piece = data.draw(PIECES)
    assert_same(text.encode("utf-8", "surrogatepass"), Format.NDJSON, record, piece)


@FUZZ
@given(st.data())
def test_what_a_program_writes_is_judged_as_pydantic_would(data: st.DataObject) -> None:
    record = data.draw(contracts(HINTS))
    text = "\n".join(data.draw(alike(record)))
    piece = data.draw(PIECES)
    assert_same(text.encode("utf-8", "surrogatepass"), Format.NDJSON, record, piece)


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
