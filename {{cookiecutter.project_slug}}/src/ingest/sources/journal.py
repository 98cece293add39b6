"""Where a download of pages is, kept in a file so that a retry goes on from there."""

import io
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Progress:
    """How far a download has come: after `page` pages, `count` records and `size` bytes.

    position: of the next page, None at the end. largest: the records of the largest page.
    total: what the API says that there are. address, content: the sums of the last page's.
    """

    position: str | None
    page: int = 0
    count: int = 0
    size: int = 0
    largest: int = 0
    total: int | None = None
    address: str = ""
    content: str = ""
    ended: bool = False


class Journal:
    """The log of the pages that are in the file; lines of JSON, the first names the job."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file
        # The sums of all addresses asked for and of all pages that came.
        self.seen: set[str] = set()

    def resumed(self, job: str, start: Progress) -> Progress:
        """How far an earlier try of the same job came, the file cut to that; else `start`."""
        lines = self._lines()
        pages: list[Progress] = []
        if lines and lines[0] == {"job": job}:
            pages = [Progress(**line) for line in lines[1:]]
        done = pages[-1] if pages else start
        if done.size > self._file.seek(0, io.SEEK_END):
            pages, done = [], start
        self._file.truncate(done.size)
        self._path.write_text(json.dumps({"job": job}) + "\n", encoding="utf-8")
        for page in pages:
            self.add(page)
        return done

    def add(self, done: Progress) -> None:
        """Note a page whose records are in the file."""
        self._file.flush()
        # Its next address may hold a key of the server's; the folder is this user's alone.
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(done)) + "\n")
        self.seen |= {done.address, done.content} - {""}

    def _lines(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with suppress(OSError, ValueError):  # no log yet, or a last line that was not finished
            for line in self._path.read_text(encoding="utf-8").splitlines():
                found.append(json.loads(line))
        return found
