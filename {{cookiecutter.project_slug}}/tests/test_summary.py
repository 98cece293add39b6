"""What a run's summary holds, and how it is shown to a person."""

import re
from datetime import UTC
from pathlib import Path

from pydantic import BaseModel

from ingest.contract import Contract
from ingest.errors import TooManyRejected
from ingest.formats import Format
from ingest.loading import Loaded, Ready
from ingest.steps import Judged, Refused, SourceFile
from ingest.summary import Progressed, RunSummary, summarize
from runtime.chart import bar, chart
from runtime.markdown import page


class Thing(BaseModel):
    id: int


CONTRACT = Contract(Thing, ("id",), "things")
HERE = Path("/there")
NASTY = '{"a": "x|y <b>`*[_](http://h.io)*` \\ &lt; \x1b[2J \x00 \ud800"}'


def judged(read: int, *refused: Refused, reasons: tuple[tuple[str, int], ...] = ()) -> Judged:
    rejected = sum(count for _, count in reasons) or len(refused)
    kept = HERE / "refused.ndjson" if rejected else None
    return Judged(HERE, read, rejected, reasons, refused, kept, "record by record")


def ended(
    judged: Judged | None,
    loaded: Loaded | None = None,
    *,
    show_raw: bool = True,
    error: Exception | None = None,
) -> RunSummary:
    source = SourceFile(HERE / "source", Format.NDJSON, "https://host/orders", 5_000_000)
    ready = Ready(HERE, 0, 2, 0) if loaded else None
    so_far = Progressed(source if judged else None, judged, ready, loaded)
    return summarize(
        "r1", CONTRACT, "w.duckdb", so_far, 2.0, mode="full", show_raw=show_raw, error=error
    )


def test_a_completed_run_tells_its_counts_and_its_speed() -> None:
    summary = ended(judged(1000, reasons=(("id: bad", 30),)), Loaded(900, 50, 18))
    assert (summary.rows_accepted, summary.rows_loaded, summary.bytes_read) == (970, 968, 5_000_000)
    assert (summary.seconds, summary.rows_per_second) == (2.0, 500.0)
    facts = dict(summary.facts())
    assert facts["Refused"] == "30 (3.00%)"
    assert facts["Size of the source"] == "5.0 MB"
    assert "Watermark" not in facts
    assert RunSummary.model_validate_json(summary.model_dump_json()) == summary


def test_a_failed_run_tells_how_far_it_came() -> None:
    counted = judged(40, reasons=(("id: bad", 40),))
    summary = ended(counted, error=TooManyRejected("Refused 40 of 40 records."))
    assert summary.error == "Refused 40 of 40 records."
    assert (summary.rows_read, summary.rows_loaded, summary.reasons) == (40, 0, {"id: bad": 40})
    assert summary.quarantine_file == str(HERE / "refused.ndjson")
    assert ended(None, error=KeyError("x")).error == "KeyError: 'x'"


def test_what_is_kept_of_refused_records_is_bounded() -> None:
    many = [Refused(place, "id", "r" * 900, "v" * 900) for place in range(50)]
    reasons = tuple((f"reason {place}", 100 - place) for place in range(50))
    summary = ended(judged(10_000, *many, reasons=reasons))
    assert len(summary.model_dump_json()) < 5000
    assert summary.first_refused[0].raw == "v" * 199 + "…"
    shown = summary.most_refused()
    assert shown[0] == ("reason 0", 100)
    assert shown[-1][0] == "other reasons"
    assert sum(count for _, count in shown) == summary.rows_rejected


def test_what_a_database_or_a_terminal_cannot_take_is_shown_as_an_escape() -> None:
    summary = ended(judged(1, Refused(1, None, "bad", NASTY)))
    raw = summary.first_refused[0].raw
    assert raw is not None
    assert r"\x1b[2J \x00 \ud800" in raw
    assert raw.encode().isascii()


def test_records_stay_out_of_the_summary_where_they_are_personal() -> None:
    one = Refused(1, "email", "not an address", '{"email": "jo at example"}')
    summary = ended(judged(1, one, reasons=(("email: not an address", 1),)), show_raw=False)
    assert summary.first_refused[0].reason == "not an address"
    assert "jo at" not in summary.model_dump_json() + page(summary, [summary])


def test_no_markup_of_a_record_reaches_the_page() -> None:
    summary = ended(judged(1, Refused(1, "a|b", "c\nd", NASTY)))
    text = page(summary, [summary])
    row = next(line for line in text.splitlines() if "c d" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4  # three cells
    for special in "<`*[(_:&":
        found = re.findall(rf"(.){re.escape(special)}", row.replace("<br>", ""))
        assert found and set(found) == {"\\"}, special


def test_a_long_record_is_broken_behind_a_comma_or_a_space_and_nothing_of_it_is_lost() -> None:
    raw = '{"a":[' + ",".join(f'"value{n}"' for n in range(10)) + "]," + "x" * 120
    summary = ended(judged(1, Refused(1, None, "bad", raw)))
    row = next(line for line in page(summary, [summary]).splitlines() if "value0" in line)
    lines = row.rpartition(" | ")[2].removesuffix(" |").replace("\\", "").split("<br>")
    assert "".join(lines) == summary.first_refused[0].raw
    assert all(len(line) <= 34 for line in lines)
    assert all(line.endswith(",") for line in lines if "value" in line)


def test_a_page_names_the_error_first_and_shows_no_empty_table() -> None:
    failed = ended(None, error=TooManyRejected("Refused <all>.\nMend the source."))
    text = page(failed, [failed])
    assert text.startswith("# Failed\n\n> Refused \\<all\\>.  \n> Mend the source.")
    assert "Refused, by reason" not in text and "first refused" not in text


def test_a_bar_is_as_long_as_its_share_and_never_invisible() -> None:
    assert bar(100, 100, 8) == "█" * 8
    assert bar(50, 100, 7) == "███▌"
    assert bar(1, 1_000_000, 8) == "▏"
    assert bar(0, 100) == bar(0, 0) == ""
    assert bar(1, 1000, 8, plain=True) == "#"


def test_the_chart_has_a_line_for_each_run() -> None:
    good = ended(judged(1010, reasons=(("bad", 10),)), Loaded(1000, 0, 0))
    bad = ended(None, error=KeyError("x"))
    lines = chart([good, bad], UTC).splitlines()
    assert lines[0].endswith("█  1,000  10 refused")
    assert "failed" in lines[1]
    assert chart([], UTC) == ""
