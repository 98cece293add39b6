"""Ask an API for page after page and write their records to one NDJSON file.

After each page a line in `pages.log` says how far the file is right and what comes next, so
that a retry goes on at the page that failed and no record is doubled.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO

import httpx2

from ingest.errors import SourceError
from ingest.say import Say
from ingest.sources.client import Client, check_status
from ingest.sources.cutting import MISSING, NoRecords, cut, dotted
from ingest.sources.encoding import encoding_of, text_of
from ingest.sources.journal import Journal, Progress
from ingest.sources.request import Request
from ingest.sources.styles import Page, Pages

_OK = frozenset({200, 203})
_HERE = "in extract.py"
_CHECK = f"Check the pagination {_HERE}."


def download_pages(
    location: str,
    folder: Path,
    say: Say,
    request: Request,
    style: Pages,
    batch_size: int | None,
    shown: str,
) -> Path:
    """Write the records of all pages of `location` to a file in `folder`, each as it came.

    Raises SourceError; also where the pages come round again, or are not as many records
    as the API says.
    """
    path, log = folder / "pages.ndjson", folder / "pages.log"
    asked = min((size for size in (batch_size, style.page_size) if size), default=None)
    job = _sum(repr((location, style, asked)))
    try:
        with Client(location, request, say) as client, path.open("ab") as file:
            pages = _Pages(client, location, style, asked, request.max_bytes, shown, file)
            journal = Journal(log, file)
            done = journal.resumed(job, Progress(style.start()))
            while not done.ended:
                done = pages.next(done, journal.seen)
                journal.add(done)
                say(f"Fetched page {done.page}: {done.count:,} records from {shown}")
    except OSError as error:
        raise SourceError(
            f"{shown} cannot be written to {path}: {error}. Is there room on that disk?"
        ) from error
    if done.total is not None and done.count != done.total:
        # A retry must not go on from here.
        log.unlink()
        raise SourceError(
            f"{shown} says that it has {done.total:,} records, but its {done.page:,} pages held "
            f"{done.count:,}. If it changes while it is read, run again; otherwise correct the "
            "pagination in extract.py."
        )
    return path


@dataclass(frozen=True)
class _Pages:
    client: Client
    location: str
    style: Pages
    asked: int | None
    max_bytes: int
    shown: str
    file: IO[bytes]

    def next(self, done: Progress, seen: set[str]) -> Progress:
        """Get one page more and write its records; `seen` are the sums of earlier pages."""
        number, style = done.page + 1, self.style
        shown = f"Page {number} of {self.shown}"
        address, query = self.location, None
        if style.by_address and done.position is not None:
            address = done.position
        else:
            query = style.query(done.position) if done.position is not None else {}
            if style.size_param and self.asked:
                query[style.size_param] = str(self.asked)
        asks = _sum(repr((address, query)))
        self._refuse_seen(asks, seen, shown, "its address was asked for before")
        # A page is short and asked for again as a whole, and JSON shrinks to a tenth.
        headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip"}
        with self.client.get(address, headers, shown, query) as response:
            status = response.status_code
            if status == 204 or number > 1 and status == style.past_end:
                return replace(done, page=number, ended=True, address=asks, content="")
            check_status(response, shown, allowed=_OK)
            blocks = self.client.blocks(response, shown)
            text = text_of(blocks, encoding_of(response.headers), shown)
            page, size, content = self._written(text, response, done.size, shown)
        if page.count:
            self._refuse_seen(content, seen, shown, "its records came before")
        after = Progress(
            position=None,
            page=number,
            count=done.count + page.count,
            size=size,
            largest=max(done.largest, page.count),
            total=self._total(page, done.total, shown),
            address=asks,
            content=content if page.count else "",
        )
        position = self._after(page, done, after, shown)
        return replace(after, position=position, ended=position is None)

    def _written(
        self, text: str, response: httpx2.Response, size: int, shown: str
    ) -> tuple[Page, int, str]:
        """Write the page's records; returns it, the file's new size and the records' sum."""
        content, count, last = sha256(), 0, None

        def take(record: str) -> None:
            nonlocal size, count, last
            line = record.encode() + b"\n"
            size, count, last = size + len(line), count + 1, record
            if size > self.max_bytes:
                raise SourceError(
                    f"{self.shown} is larger than {self.max_bytes:,} bytes, the limit `max_bytes` "
                    f"of its Request. Raise it {_HERE} if that size is in order."
                )
            content.update(line)
            self.file.write(line)

        try:
            body = cut(text, self.style.records, take)
        except NoRecords as error:
            raise SourceError(
                f"{shown} has {error} Name the key of its records as `records` {_HERE}."
            ) from None
        except RecursionError:
            raise SourceError(f"{shown} is nested too deeply to be read.") from None
        except ValueError as error:
            raise SourceError(f"{shown} is not whole JSON: {error}.") from None
        page = Page(str(response.url), response.headers, body, count, last)
        return page, size, content.hexdigest()

    def _total(self, page: Page, before: int | None, shown: str) -> int | None:
        """What the API says its records to be; what it said before where it does not say."""
        style, said = self.style, MISSING
        if style.total:
            said = dotted(page.body, style.total)
        elif style.total_header:
            said = page.headers.get(style.total_header, MISSING)
        if said is MISSING or said is None:
            if (style.total or style.total_header) and before is None:
                raise SourceError(
                    f"{shown} has no {style.total or style.total_header!r}, which shall say how "
                    f"many records there are. Correct it {_HERE}."
                )
            return before
        if isinstance(said, str) and said.strip().isdecimal():
            return int(said)
        raise SourceError(f"{shown} says {said!r} where the number of its records shall be.")

    def _after(self, page: Page, done: Progress, after: Progress, shown: str) -> str | None:
        """The position of the next page, or None at the end: by the first rule that says so."""
        style, position = self.style, done.position
        more = _says_more(page, style, shown)
        if more is None:
            if not page.count:
                return None
            if after.total is not None and after.count >= after.total:
                return None
            # Only against a page that came: an API may allow fewer than were asked for.
            short = style.short_page_ends and page.count < done.largest
            if short and after.total is None:
                return None
            self._refuse_silence(page, after, shown)
        found = style.after(page, position) if more is not False else None
        if more and found is None:
            raise SourceError(f"{shown} says that there is more, but not where. {_CHECK}")
        return found

    def _refuse_silence(self, page: Page, after: Progress, shown: str) -> None:
        """A full first page without the key of the next one: is the key misspelled?"""
        key, full = self.style.key(), self.asked is not None and page.count >= self.asked
        if after.page > 1 or after.total is not None or not key or not full:
            return
        if self.style.size_param and dotted(page.body, key) is MISSING:
            raise SourceError(
                f"{shown} is full with {page.count:,} records but has no {key!r}, which names the "
                f"next page. Correct the key {_HERE}; if this API leaves it out on the last page, "
                "give `total` or `more` too."
            )

    def _refuse_seen(self, mark: str, seen: set[str], shown: str, why: str) -> None:
        if mark in seen:
            raise SourceError(
                f"{shown} does not lead on: {why}. The API goes round in a circle, or does not "
                f"know the parameter that asks for a page. {_CHECK}"
            )


def _says_more(page: Page, style: Pages, shown: str) -> bool | None:
    """Whether the page says that there are more; None where it is not asked."""
    if style.more is None:
        return None
    said = dotted(page.body, style.more)
    if isinstance(said, bool):
        return said
    known = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(said, str) and said.lower() in known:
        return known[said.lower()]
    held = "nothing" if said is MISSING else repr(said)[:40]
    raise SourceError(
        f"{shown} holds {held} under {style.more!r}, which shall be true or false. Correct `more` "
        f"{_HERE}."
    )


def _sum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
