"""All pages of an API come, each record once and letter for letter, or the error says why not."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingest.errors import SourceError
from ingest.formats import Format
from ingest.sources import (
    ByCursor,
    ByLastRecord,
    ByLink,
    ByNextUrl,
    ByNumber,
    ByOffset,
    Request,
    encoding,
    fetch,
)

Start = Callable[..., Any]
Answer = Callable[[Any], dict[str, Any]]
ALL = [{"id": number} for number in range(7)]


def page(records: list[Any], headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"body": json.dumps({"data": records} | more).encode(), "headers": headers or {}}


def numbered(asked: Any, size: int = 3) -> list[Any]:
    begin = (int(asked.query["page"]) - 1) * size
    return ALL[begin : begin + size]


def loaded(url: str, folder: Path, pages: Any, **more: Any) -> list[Any]:
    source = fetch(url + "/orders", folder, options=Request(pages=pages), **more)
    assert source.format is Format.NDJSON
    return [json.loads(line) for line in source.path.read_bytes().splitlines()]


def refused(url: str, folder: Path, pages: Any, **more: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        loaded(url, folder, pages, **more)
    return caught.value


@pytest.mark.parametrize(
    "link",
    [
        '</orders?page=%d>; rel="next"',
        '<orders?page=%d>; rel="prev next"; title="a, b; c=d"',
        "</first>; rel=first, </orders?page=%d>;rel=next",
        '</orders?fields=id,name&page=%d>; title="x=y"; REL="Next"',
    ],
)
def test_a_link_header_leads_on(site: Start, tmp_path: Path, link: str) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        number = int(asked.query.get("page", 1))
        headers = {"Link": link % (number + 1)} if number < 3 else {}
        return page(ALL[(number - 1) * 3 : number * 3], headers)

    assert loaded(site(answer).url, tmp_path, ByLink(records="data")) == ALL


@pytest.mark.parametrize("end", [{}, {"next": None}, {"next": ""}])
def test_an_address_in_the_body_leads_on(
    site: Start, tmp_path: Path, end: dict[str, None | str]
) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        number = int(asked.query.get("page", 1))
        meta = {"next": f"?page={number + 1}"} if number < 3 else end
        return page(ALL[(number - 1) * 3 : number * 3], meta=meta)

    pages = ByNextUrl(records="data", next="meta.next")
    assert loaded(site(answer).url, tmp_path, pages) == ALL


@pytest.mark.parametrize("cursors", [["a+b/c=", "b&c"], [12345678901234567890, 2]])
def test_a_cursor_leads_on_letter_for_letter(
    site: Start, tmp_path: Path, cursors: list[Any]
) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        at = ([None] + [str(cursor) for cursor in cursors]).index(asked.query.get("after"))
        return page(ALL[at * 3 : at * 3 + 3], next={"cursor": [*cursors, None][at]})

    pages = ByCursor(records="data", cursor="next.cursor", param="after")
    assert loaded(site(answer).url, tmp_path, pages) == ALL


def test_the_last_record_leads_on(site: Start, tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        begin = int(asked.query.get("after", -1)) + 1
        return page(ALL[begin : begin + 3], has_more=begin + 3 < len(ALL))

    served = site(answer)
    pages = ByLastRecord(records="data", field="id", param="after", more="has_more")
    assert loaded(served.url, tmp_path, pages) == ALL
    assert [asked.query.get("after") for asked in served.asked] == [None, "2", "5"]


@pytest.mark.parametrize("first", [0, 1])
def test_pages_may_be_counted_from_any_number(site: Start, tmp_path: Path, first: int) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        begin = (int(asked.query["p"]) - first) * 3
        return {"body": json.dumps(ALL[begin : begin + 3]).encode()}

    served = site(answer)
    assert loaded(served.url, tmp_path, ByNumber(param="p", first=first)) == ALL
    assert len(served.asked) == 3  # the third is short


def test_an_offset_counts_what_came_not_what_was_asked_for(site: Start, tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        begin, size = int(asked.query["offset"]), min(int(asked.query["limit"]), 3)
        return page(ALL[begin : begin + size])

    pages = ByOffset(records="data", size_param="limit")
    assert loaded(site(answer).url, tmp_path, pages, batch_size=500) == ALL


@pytest.mark.parametrize(
    ("batch_size", "page_size", "sent"), [(500, 100, "100"), (50, 100, "50"), (50, None, "50")]
)
def test_the_smaller_of_both_sizes_is_asked_for(
    site: Start, tmp_path: Path, batch_size: int, page_size: int | None, sent: str
) -> None:
    served = site(lambda asked: page([]))
    pages = ByNumber(records="data", size_param="per_page", page_size=page_size)
    assert loaded(served.url, tmp_path, pages, batch_size=batch_size) == []
    assert served.asked[0].query == {"page": "1", "per_page": sent}


def test_a_full_last_page_is_followed_by_an_empty_one(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: page(numbered(asked, 7)))
    assert loaded(served.url, tmp_path, ByNumber(records="data")) == ALL
    assert len(served.asked) == 2


def test_a_total_that_is_reached_ends_it(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: page(numbered(asked, 7), meta={"total": 7}))
    assert loaded(served.url, tmp_path, ByNumber(records="data", total="meta.total")) == ALL
    assert len(served.asked) == 1


@pytest.mark.parametrize("no", [False, "false", 0])
def test_a_page_that_says_there_is_no_more_ends_it(site: Start, tmp_path: Path, no: Any) -> None:
    served = site(lambda asked: page(numbered(asked, 7), more=no))
    assert loaded(served.url, tmp_path, ByNumber(records="data", more="more")) == ALL
    assert len(served.asked) == 1


def test_an_empty_page_does_not_end_what_says_that_there_is_more(
    site: Start, tmp_path: Path
) -> None:
    found = [
        page([], more=True),
        page(ALL[:3], more=True),
        page([], more=True),
        page(ALL[3:], more=0),
    ]
    served = site(lambda asked: found[int(asked.query["page"]) - 1])
    assert loaded(served.url, tmp_path, ByNumber(records="data", more="more")) == ALL


@pytest.mark.parametrize("status", [404, 204])
def test_an_api_may_answer_otherwise_past_its_last_page(
    site: Start, tmp_path: Path, status: int
) -> None:
    served = site(lambda asked: page(numbered(asked, 7)) if asked.query["page"] == "1" else past)
    past = {"status": status}
    assert loaded(served.url, tmp_path, ByNumber(records="data", past_end=404)) == ALL


def test_a_missing_first_page_is_an_error_all_the_same(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"status": 404})
    assert "answered 404" in str(refused(served.url, tmp_path, ByNumber(past_end=404)))


def test_records_keep_every_letter(site: Start, tmp_path: Path) -> None:
    records = (
        '{"n": 123456789012345678901234567890, "d": 0.12345678901234567890123456789, "e": 1E400}',
        '{"twice": 1, "twice": 2, "escaped": "\\u00e9\\ud83d\\ude00 \\\\n", "plain": "é\u2028"}',
        "17",
    )
    body = '\ufeff{"a": {"data": [' + " ,\r\n".join(records) + '] }, "next": null}\n'
    served = site(lambda asked: {"body": body.encode()})
    request = Request(pages=ByNextUrl(records="a.data"))
    source = fetch(served.url + "/orders", tmp_path, options=request)
    assert source.path.read_text("utf-8").split("\n") == [*records, ""]


def test_a_record_over_several_lines_becomes_one(site: Start, tmp_path: Path) -> None:
    body = json.dumps({"data": ALL, "count": 7}, indent=2).replace("\n", "\r\n")
    served = site(lambda asked: {"body": body.encode()})
    pages = ByNumber(records="data", total="count")
    assert loaded(served.url, tmp_path, pages) == ALL


def failing_once(number: str, broken: dict[str, Any]) -> Answer:
    failed: list[str] = []

    def answer(asked: Any) -> dict[str, Any]:
        if asked.query["page"] == number and not failed:
            failed.append(number)
            return broken
        return page(numbered(asked))

    return answer


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"raw": lambda file: file.write(b'{"data": ['), "headers": {"Content-Length": "99"}},
        {"body": gzip.compress(b'{"data": []}')[:-5], "headers": {"Content-Encoding": "gzip"}},
    ],
)
def test_a_retry_goes_on_at_the_page_that_failed(
    site: Start, tmp_path: Path, broken: dict[str, Any]
) -> None:
    served = site(failing_once("2", broken))
    pages = ByNumber(records="data")
    error = refused(served.url, tmp_path, pages)
    assert error.transient and "age 2 of" in str(error)
    assert loaded(served.url, tmp_path, pages) == ALL
    assert [asked.query["page"] for asked in served.asked] == ["1", "2", "2", "3"]


def test_half_a_page_of_a_failed_try_is_not_kept(site: Start, tmp_path: Path) -> None:
    pages = ByNumber(records="data")
    broken = {"body": b'{"data": [{"id": 3}, {"id": 4}'}
    served = site(failing_once("2", broken))
    assert "is not whole JSON" in str(refused(served.url, tmp_path, pages))
    assert loaded(served.url, tmp_path, pages) == ALL


def test_a_log_that_was_not_written_to_its_end_is_used_to_its_last_line(
    site: Start, tmp_path: Path
) -> None:
    pages = ByNumber(records="data")
    served = site(failing_once("3", {"status": 503}))
    refused(served.url, tmp_path, pages)
    log = tmp_path / "pages.log"
    log.write_bytes(log.read_bytes()[:-9])
    assert loaded(served.url, tmp_path, pages) == ALL
    assert [asked.query["page"] for asked in served.asked] == ["1", "2", "3", "2", "3"]


def test_another_source_does_not_go_on_from_this_one(site: Start, tmp_path: Path) -> None:
    served = site(failing_once("2", {"status": 500}))
    refused(served.url, tmp_path, ByNumber(records="data"))
    assert loaded(served.url + "/other", tmp_path, ByNumber(records="data")) == ALL


def test_a_page_that_comes_twice_is_an_error(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: page(ALL, request_id=len(served.asked)))
    error = refused(served.url, tmp_path, ByNumber(records="data"))
    assert "Page 2 of" in str(error) and "its records came before" in str(error)
    assert not error.transient


def test_a_page_that_came_before_an_interruption_is_an_error_after_it(
    site: Start, tmp_path: Path
) -> None:
    answers = iter([page(ALL), {"status": 500}, page(ALL), page([])])
    served = site(lambda asked: next(answers))
    assert refused(served.url, tmp_path, ByNumber(records="data")).transient
    error = refused(served.url, tmp_path, ByNumber(records="data"))
    assert "Page 2 of" in str(error) and "its records came before" in str(error)


@pytest.mark.parametrize(
    "pages", [ByNextUrl(records="data"), ByCursor(records="data", cursor="next", param="c")]
)
def test_an_address_that_comes_twice_is_an_error(site: Start, tmp_path: Path, pages: Any) -> None:
    served = site(lambda asked: page([{"id": len(served.asked)}], next="/orders?c=1"))
    error = refused(served.url, tmp_path, pages)
    assert "its address was asked for before" in str(error)
    assert len(served.asked) == 2


@pytest.mark.parametrize("said", [6, 8])
def test_another_count_than_the_total_is_an_error(site: Start, tmp_path: Path, said: int) -> None:
    served = site(lambda asked: page(ALL if asked.query["page"] == "1" else [], total=said))
    error = refused(served.url, tmp_path, ByNumber(records="data", total="total"))
    assert f"says that it has {said} records" in str(error) and "held 7" in str(error)
    assert loaded(
        site(lambda asked: page(ALL, total=7)).url,
        tmp_path,
        ByNumber(records="data", total="total"),
    )


def test_the_total_may_stand_in_a_header(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: page(ALL, {"X-Total-Count": "7"}))
    pages = ByOffset(records="data", total_header="X-Total-Count")
    assert loaded(served.url, tmp_path, pages) == ALL
    wrong = ByOffset(records="data", total_header="X-Count")
    assert "has no 'X-Count'" in str(refused(served.url, tmp_path, wrong))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>sign in</html>", "is HTML or XML"),
        (b"", "nothing at all"),
        (b'{"data": [1', "is not whole JSON"),
        (b'{"data": [1]} x', "is not whole JSON"),
        (b'{"data": [1 2]}', "is not whole JSON"),
        (
            b'{"items": [], "next": 1}',
            "no array of records under 'data'. The page is an object with: items, next",
        ),
        (b'{"data": {"id": 1}}', "no array of records under 'data'"),
        (b'{"data": [' + b"[" * 100_000 + b"]}", "nested too deeply"),
        (b'{"data": ["\xff"]}', "is not UTF-8"),
    ],
)
def test_a_page_without_records_says_what_it_is(
    site: Start, tmp_path: Path, body: bytes, words: str
) -> None:
    assert words in str(
        refused(site(lambda asked: {"body": body}).url, tmp_path, ByNumber(records="data"))
    )


def test_a_null_in_place_of_the_records_is_an_empty_page(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"body": b'{"data": null}'})
    assert loaded(served.url, tmp_path, ByNumber(records="data")) == []


def test_a_full_page_that_names_no_next_one_is_a_misspelled_key(
    site: Start, tmp_path: Path
) -> None:
    served = site(lambda asked: page(ALL[:3], next_url="?c=2", total=3))
    pages = ByNextUrl(records="data", next="next", size_param="n")
    error = refused(served.url, tmp_path, pages, batch_size=3)
    assert "has no 'next'" in str(error)
    surer = ByNextUrl(records="data", next="next", size_param="n", total="total")
    assert loaded(served.url, tmp_path, surer, batch_size=3) == ALL[:3]


def test_a_page_larger_than_memory_bears_is_refused(
    site: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "MAX_PAGE", 1024 * 1024)
    bomb = {"body": gzip.compress(b" " * 2**21), "headers": {"Content-Encoding": "gzip"}}
    for answer in (bomb, {"body": b" " * 2**21}):
        served = site(lambda asked, answer=answer: answer)
        assert "larger than 1 MiB" in str(refused(served.url, tmp_path, ByNumber()))


def test_the_limit_of_bytes_counts_for_all_pages_together(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: page([{"page": asked.query["page"]}]))
    request = Request(pages=ByNumber(records="data"), max_bytes=200)
    with pytest.raises(SourceError, match="max_bytes"):
        fetch(served.url, tmp_path, options=request)
    assert (tmp_path / "pages.ndjson").stat().st_size <= 200


def test_pages_share_a_connection_and_may_be_compressed(site: Start, tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        assert asked.headers["accept-encoding"] == "gzip"
        body = page(numbered(asked))["body"]
        return {"body": gzip.compress(body), "headers": {"Content-Encoding": "gzip"}}

    served = site(answer)
    assert loaded(served.url, tmp_path, ByNumber(records="data")) == ALL
    assert len({asked.client for asked in served.asked}) == 1


def test_keys_go_with_each_page_of_the_host_and_to_no_other(site: Start, tmp_path: Path) -> None:
    other = site(lambda asked: page(ALL[5:]))

    def answer(asked: Any) -> dict[str, Any]:
        first = "c" not in asked.query
        return page(ALL[:3] if first else ALL[3:5], next="?c=1" if first else other.url + "/orders")

    home = site(answer)
    request = Request(
        bearer=SecretStr("t0ken"),
        params={"api_key": SecretStr("k3y"), "state": "open"},
        pages=ByNextUrl(records="data"),
    )
    url = home.url.replace("//", "//ann:pw@")
    source = fetch(url + "/orders?token=abc", tmp_path, options=request)
    assert len(source.path.read_bytes().splitlines()) == len(ALL)
    assert home.asked[0].query == {"token": "abc", "api_key": "k3y", "state": "open"}
    # What the server names is asked for as it stands, but for the key.
    assert home.asked[1].query == {"c": "1", "api_key": "k3y"}
    assert all("authorization" in asked.headers for asked in home.asked)
    assert other.asked[0].query == {} and "authorization" not in other.asked[0].headers


def test_a_file_stands_in_for_an_api(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"a": 1}]')
    source = fetch(str(tmp_path / "x.json"), tmp_path, options=Request(pages=ByLink()))
    assert source.path == tmp_path / "x.json"
