"""Open a source's file as plain bytes, whatever it is packed in."""

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ingest.errors import SourceError
from ingest.formats import Compression
from ingest.say import Say
from ingest.steps import SourceFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 16 * 1024 * 1024  # bytes read at once
# What is packed tighter than this, and unpacks to more than this many bytes, was made to harm.
_MOST_EXPANSION = 200
_HARMLESS = 1024**3


@contextmanager
def opened(source: SourceFile) -> Generator[BinaryIO, None, None]:
    """The bytes of a source, unpacked as they are read.

    Raises SourceError, also within the block, for a file that is cut short, damaged, or
    expands beyond reason.
    """
    with source.path.open("rb") as file:
        if source.compression is Compression.NONE:
            yield _in_utf8(file, source)
            return
        # gzip.GzipFile, unlike zlib alone, reads all members and notices a missing end.
        unpacked: Any = (
            gzip.GzipFile(fileobj=file)
            if source.compression is Compression.GZIP
            else zstd.ZstdFile(file)
        )
        try:
            yield _in_utf8(io.BufferedReader(_Bounded(unpacked, source), CHUNK), source)
        except (EOFError, OSError, zlib.error, zstd.ZstdError) as error:
            raise SourceError(
                f"{source.url} is no whole {source.compression} file: {error}. Get it again; if "
                "it is the same, its producer must mend it."
            ) from error


def unpacked(source: SourceFile, path: Path, say: Say) -> SourceFile:
    """The source in a file of its own, `path`, as its bytes are when they are not packed.

    Raises SourceError as `opened` does, and where there is no room for it.
    """
    size = 0
    with path.open("wb") as file, opened(replace(source, encoding="utf-8")) as stream:
        while data := stream.read(CHUNK):
            try:
                file.write(data)
            except OSError as error:
                raise SourceError(
                    f"{source.url} cannot be unpacked to {path}: {error}. Is there room on that "
                    "disk?"
                ) from error
            size += len(data)
            say(f"Unpacked {size / 1e6:,.1f} MB of {source.url}")
    return replace(source, path=path, size=size, compression=Compression.NONE)


def _in_utf8(stream: BinaryIO, source: SourceFile) -> BinaryIO:
    try:
        name = codecs.lookup(source.encoding).name
    except LookupError:
        raise SourceError(
            f"There is no encoding {source.encoding!r}. Correct it in "
            "extract.py, for example Reading(encoding='cp1252')."
        ) from None
    if name in ("utf-8", "utf-8-sig"):
        return stream
    return io.BufferedReader(_Recoded(stream, source), CHUNK)


class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, stream: BinaryIO, source: SourceFile) -> None:
        self._stream = stream
        self._source = source
        self._decode = codecs.getincrementaldecoder(source.encoding)().decode
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._stream.read(1024 * 1024)
            try:
                self._ready = self._decode(data, final=not data).encode()
            except UnicodeError as error:
                raise SourceError(
                    f"{self._source.url} is not {self._source.encoding}: {error}. Name its real "
                    "encoding in extract.py: Reading(encoding='…')."
                ) from error
            if not data:
                break
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class _Bounded(io.RawIOBase):
    """What an unpacker gives, until it gives too much."""

    def __init__(self, unpacked: Any, source: SourceFile) -> None:
        self._unpacked = unpacked
        self._source = source
        self._most = max(_HARMLESS, source.size * _MOST_EXPANSION)
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._unpacked.read(len(buffer))
        buffer[: len(data)] = data
        self._given += len(data)
        if self._given > self._most:
            raise SourceError(
                f"{self._source.url} expands to more than {_MOST_EXPANSION} times its "
                f"{self._source.size:,} bytes: it looks like a zip bomb. Unpack it yourself if it "
                "is meant so."
            )
        return len(data)


def skip(stream: BinaryIO, size: int) -> None:
    """Read so many bytes, and leave them."""
    while size and (data := stream.read(min(size, CHUNK))):
        size -= len(data)


class Chain(io.RawIOBase):
    """What was read already, then the rest of a stream."""

    def __init__(self, data: bytes, stream: BinaryIO) -> None:
        # Text is asked for in small pieces: cutting them off `data` would copy it each time.
        self._data = io.BytesIO(data)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._data.read(len(buffer)) or self._stream.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)
