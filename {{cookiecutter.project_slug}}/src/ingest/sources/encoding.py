"""Undo the encoding of a body, and notice one that was cut short.

The HTTP library's own decoder takes a gzip stream that ends too early for a whole one and
drops all but the first of several members; gzip.GzipFile does neither.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from ingest.errors import SourceError

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

MAX_PAGE = 256 * 1024 * 1024  # bytes; a page is held in memory
_BLOCK = 1024 * 1024


def encoding_of(headers: Mapping[str, str]) -> str:
    """The Content-Encoding that an answer names; empty for none."""
    encoding = headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def decoded(raw: BinaryIO, encoding: str, shown: str) -> Iterator[bytes]:
    """The blocks of `raw` without this encoding. Raises SourceError."""
    try:
        with _opened(raw, encoding, shown) as file:
            while block := file.read(_BLOCK):
                yield block
    except EOFError:
        raise SourceError(
            f"The body from {shown} was cut short: its {encoding} stream does not end.",
            transient=True,
        ) from None
    except (OSError, zlib.error, ZstdError) as error:
        raise SourceError(f"The body from {shown} is no sound {encoding}: {error}.") from None


def _opened(raw: BinaryIO, encoding: str, shown: str) -> gzip.GzipFile | ZstdFile:
    if encoding in ("gzip", "x-gzip"):
        return gzip.GzipFile(fileobj=raw)
    if encoding == "zstd":
        return ZstdFile(raw)
    raise SourceError(
        f"{shown} answered with Content-Encoding: {encoding}, for which nobody asked and which is "
        "not read here. Have it served as it is, or in gzip."
    )


def text_of(blocks: Iterable[bytes], encoding: str, shown: str) -> str:
    """A page's text, whose body comes in `blocks`. Raises SourceError for what is none."""
    raw = _bounded(blocks, shown)
    body = (_bounded(decoded(raw, encoding, shown), shown) if encoding else raw).getvalue()
    start = body.lstrip()[:60]
    if not start:
        raise SourceError(f"{shown} answered with nothing at all.", transient=True)
    if start.startswith(b"<"):
        raise SourceError(
            f"{shown} is HTML or XML, not records: {start!r}. An error or login page is often "
            "served so: open source_url in a browser."
        )
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{shown} is not UTF-8: {error.reason}.") from None


def _bounded(blocks: Iterable[bytes], shown: str) -> io.BytesIO:
    whole = io.BytesIO()
    for block in blocks:
        if whole.tell() + len(block) > MAX_PAGE:
            raise SourceError(
                f"{shown} is larger than {MAX_PAGE // 2**20} MiB, more than is held in memory. Ask "
                "for smaller pages, by `size_param` and `page_size`."
            )
        whole.write(block)
    whole.seek(0)
    return whole
