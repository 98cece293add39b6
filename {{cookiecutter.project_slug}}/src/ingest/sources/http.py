"""Download one body to a file; an interrupted one goes on where it broke off.

The body is written to `source.part`, which outlives a failed try, as the folder does. The
file `source` appears only when all of it has come.
"""

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

import httpx2

from ingest.errors import SourceError
from ingest.say import Say
from ingest.sources.client import Client, check_status
from ingest.sources.encoding import decoded, encoding_of
from ingest.sources.request import Request

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_WHOLE, _REST = frozenset({200, 203, 204}), frozenset({206})


def download(
    location: str, folder: Path, say: Say, request: Request, shown: str
) -> tuple[Path, str]:
    """Write the body of `location` to a file in `folder`; returns it and its content type.

    shown: the address as errors may name it. Raises SourceError.
    """
    path = folder / "source"
    try:
        with Client(location, request, say) as client:
            return path, _Download(client, location, path, request, say, shown).run()
    except OSError as error:
        raise SourceError(
            f"{shown} cannot be written to {path}: {error}. Is there room on that disk?"
        ) from error


@dataclass(frozen=True)
class _Body:
    """What the first answer said of the body.

    validator: its ETag or Last-Modified, which says later whether it is still the same;
        empty where its rest must not be asked for. size: of the whole, in bytes.
    """

    address: str
    validator: str
    size: int | None
    content_type: str


@dataclass(frozen=True)
class _Download:
    client: Client
    location: str
    path: Path
    request: Request
    say: Say
    shown: str

    def run(self) -> str:
        """Bring the body to `path`; returns its content type."""
        known = self._known()
        received = self._receive(known)
        if received is None:  # what had come is of no use
            self._forget()
            received = self._receive(None)
        assert received is not None
        body, encoding = received
        if encoding:
            self._unpack(encoding)
        self._part.replace(self.path)
        self._forget()
        return body.content_type

    def _receive(self, known: _Body | None) -> tuple[_Body, str] | None:
        """Bring all of the body into the part; returns what it is and its Content-Encoding.

        None where the server answers the request for a rest with what is not that rest.
        """
        # As it is: so its size can be compared with the one promised, and its rest be asked
        # for. A body that is compressed on its way has neither. Speed does not decide it: gzip
        # is undone at 0.55 GB/s, plain bytes come at 0.9. For a thin line a user may ask for
        # it with a header of the Request.
        headers = {"Accept-Encoding": "identity"}
        begin = self._part.stat().st_size if known else 0
        if known:
            headers |= {"Range": f"bytes={begin}-", "If-Range": known.validator}
        with self.client.get(self.location, headers, self.shown, {}) as response:
            if known and response.status_code in (206, 416):
                known = _rest(response, known, begin)
                if known is None:
                    return None
                check_status(response, self.shown, allowed=_REST)
                body, encoding = known, ""
            else:
                check_status(response, self.shown, allowed=_WHOLE)
                self._forget()
                encoding = encoding_of(response.headers)
                body = self._described(response, encoding)
            self._refuse_large(body.size or 0)
            self._notes.write_text(json.dumps(asdict(body)), encoding="utf-8")
            self._check_size(self._append(response), body, response)
            return body, encoding

    def _append(self, response: httpx2.Response) -> int:
        """Write the answer's body behind what has come; returns the size of both."""
        with self._part.open("ab") as file:
            size = file.tell()
            for block in self.client.blocks(response, self.shown):
                size += len(block)
                self._refuse_large(size)
                file.write(block)
                self.say(f"Fetched {size / 1e6:,.1f} MB from {self.shown}")
        return size

    def _described(self, response: httpx2.Response, encoding: str) -> _Body:
        length = response.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else None
        # The rest of an encoded body may be that of another encoding of it.
        validator = "" if encoding else _validator(response)
        return _Body(_sum(self.location), validator, size, response.headers.get("content-type", ""))

    def _check_size(self, size: int, body: _Body, response: httpx2.Response) -> None:
        if body.size is not None and size < body.size:
            raise SourceError(
                f"The body from {self.shown} was cut short: {size} of {body.size} bytes came.",
                transient=True,
            )
        framed = body.size is not None or "transfer-encoding" in response.headers
        if not size and not framed and response.status_code != 204:
            raise SourceError(f"{self.shown} answered with nothing at all.", transient=True)

    def _refuse_large(self, size: int) -> None:
        if size > self.request.max_bytes:
            raise SourceError(
                f"{self.shown} is larger than {self.request.max_bytes:,} bytes, the limit "
                "`max_bytes` of its Request. Raise it in extract.py if that "
                "size is in order."
            )

    def _unpack(self, encoding: str) -> None:
        """Put the decoded body in the place of the encoded one."""
        plain, size = self.path.with_suffix(".plain"), 0
        with self._part.open("rb") as raw, plain.open("wb") as file:
            for block in decoded(raw, encoding, self.shown):
                size += len(block)
                self._refuse_large(size)
                file.write(block)
        plain.replace(self._part)

    @property
    def _part(self) -> Path:
        return self.path.with_suffix(".part")

    @property
    def _notes(self) -> Path:
        return self.path.with_suffix(".json")

    def _known(self) -> _Body | None:
        """What an earlier try noted of the body, if its part can be gone on with."""
        try:
            known = _Body(**json.loads(self._notes.read_text(encoding="utf-8")))
            usable = known.validator and known.address == _sum(self.location)
            return known if usable and self._part.stat().st_size else None
        except (OSError, ValueError, TypeError):
            return None

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)


def _rest(response: httpx2.Response, known: _Body, begin: int) -> _Body | None:
    """The body whose rest this answer is; None where it is not the rest of `known`."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if response.status_code != 206 or not found or int(found[1]) != begin:
        return None
    size = known.size if found[2] == "*" else int(found[2])
    tag = response.headers.get("etag", "")
    other_tag = tag and known.validator.startswith('"') and tag != known.validator
    if other_tag or known.size not in (None, size) or encoding_of(response.headers):
        return None
    return replace(known, size=size)


def _validator(response: httpx2.Response) -> str:
    """A strong ETag, else a Last-Modified that is strong; empty where there is neither."""
    tag = response.headers.get("etag", "")
    if tag.startswith('"'):
        return tag
    modified, date = response.headers.get("last-modified", ""), response.headers.get("date", "")
    with suppress(ValueError, TypeError):
        # What was changed within this very second can change again under the same date.
        if parsedate_to_datetime(date) - parsedate_to_datetime(modified) > timedelta(seconds=1):
            return modified
    return ""


def _sum(location: str) -> str:
    """The address as a sum: it may hold a password."""
    return sha256(location.encode()).hexdigest()
