"""Cut the elements out of a JSON array, token by token."""

import codecs
import itertools
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from ingest.blocks import Block
from ingest.errors import SourceError
from ingest.formats import MAX_RECORD
from ingest.opening import CHUNK
from ingest.steps import SourceFile

_SKIP = re.compile(r"[ \t\n\r]*")


def end_of_spaces(text: str, at: int) -> int:
    """Where the spaces of JSON that begin at `at` end."""
    found = _SKIP.match(text, at)
    return found.end() if found else at


def several_arrays(source: SourceFile, keys: list[str]) -> SourceError:
    """The error that it is not to be told under which key the records are."""
    return SourceError(
        f"{source.url} is one JSON object with several arrays: {', '.join(keys)}. Name the key that "
        "holds the records in extract.py: Reading(records_key='…'), or give the array alone, or "
        "one object per line."
    )


def array_blocks(
    stream: BinaryIO, source: SourceFile, records: int, first: int | None = None, depth: int = 0
) -> Iterator[Block]:
    """Blocks of the records of a JSON array, or of the array under a key of a JSON object.

    Each record keeps its own text, but for line breaks between its tokens. first: where the
    stream begins within the array, the position of the element that comes next, and `depth`
    the objects that are open around it. Raises
    SourceError where the file is no whole JSON in UTF-8.
    """
    scanner = Scanner(stream, source)
    found = scanner.elements() if first is None else scanner.further(first, depth)
    first = first or 1
    while part := list(itertools.islice(found, records)):
        # A line break within a JSON string is written \\n, so these stand between tokens.
        text = "\n".join(item.replace("\n", " ") for item in part)
        yield Block(first, text.encode("utf-8", "surrogatepass"))
        first += len(part)


class Scanner:
    """Finds where each element of an array begins and ends, reading on as it goes."""

    def __init__(self, stream: BinaryIO, source: SourceFile) -> None:
        self.depth = 0  # objects that are open around the array
        self._stream = stream
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        # Only the end of a value counts here: int() would refuse one of 4300 digits.
        self._scan = json.JSONDecoder(parse_int=float).raw_decode
        self._text = ""
        self._at = 0
        self._left = 0  # characters that stood before the text
        self._count = 0
        self._ended = False

    def elements(self) -> Iterator[str]:
        """The text of each element of the array."""
        if key := self._source.records_key:
            if self._next() != "{":
                raise self._fault(f"no object has the key {key!r}")
            self.depth = self._enter(key)
            if not self.depth:
                raise self._fault(f"it has no key {key!r}")
        if self._next() != "[":
            raise self._fault("there is no array of records")
        self._at += 1
        if self._next() == "]":
            self._at += 1
        else:
            yield from self._series()
        self._end()

    def further(self, first: int, depth: int) -> Iterator[str]:
        """The text of each further element, where the stream begins with that at `first`."""
        self._count, self.depth = first - 1, depth
        yield from self._series()
        self._end()

    @property
    def place(self) -> int:
        """Characters read so far: behind an element that was just given, where it ends."""
        return self._left + self._at

    def _end(self) -> None:
        if not self._source.records_key:
            if self._next():
                raise self._fault("something follows the array")
        else:
            self._leave()

    def _series(self) -> Iterator[str]:
        while True:
            yield self._value()
            self._count += 1
            mark = self._next()
            self._at += 1
            if mark == "]":
                return
            if mark != ",":
                raise self._fault("a comma or the end of the array is missing")

    def first_array(self) -> str | None:
        """The first key of the object whose value begins as an array of objects, or is empty."""
        try:
            if self._next() == "{":
                return next((name for name in self._members() if self._skip(stop=True)), None)
        except SourceError:
            pass  # what is read after this says where it is broken
        return None

    def _members(self) -> Iterator[str]:
        """The keys of the object that begins here; the value of each must be read meanwhile."""
        self._at += 1
        while self._next() == '"':
            name = json.loads(self._value())
            if self._next() != ":":
                break
            self._at += 1
            yield name
            if self._next() == ",":
                self._at += 1

    def _enter(self, key: str) -> int:
        """Go to the value of a key of the object that begins here, or of one in it if dotted.

        A key that has the dots itself is as good. Gives how many objects are open then: 0 where
        there is no such key, and the object was read over.
        """
        for name in self._members():
            if name == key:
                return 1
            below = not self._source.sole_key and key.startswith(f"{name}.")
            if not below or self._next() != "{":
                self._skip()
            elif depth := self._enter(key[len(name) + 1 :]):
                return depth + 1
        if self._next() != "}":
            raise self._fault(f"it has no key {key!r}")
        self._at += 1
        return 0

    def _skip(self, *, stop: bool = False) -> bool:
        """Read over the value that comes next; an array may be longer than memory bears.

        stop: not over an array of objects or an empty one, which is told by True.
        """
        if self._next() != "[":
            self._value()
            return False
        self._at += 1
        mark = self._next()
        if stop and mark in ("{", "]"):
            return True
        if mark == "]":
            self._at += 1
            return False
        count = self._count
        for _ in self._series():
            pass
        self._count = count
        return False

    def _leave(self) -> None:
        """Read to the file's end: what was cut off there would have gone unseen."""
        sole = self._source.sole_key
        name = ""
        while self.depth:
            mark = self._next()
            self._at += 1
            if mark == "}":
                self.depth -= 1
            elif mark == '"':
                self._at -= 1
                name = json.loads(self._value())
            elif mark == ":":
                if self._skip(stop=sole):
                    raise several_arrays(self._source, [self._source.records_key or "", name])
            elif mark != ",":
                raise self._fault("what follows the records is broken")
        if self._next():
            raise self._fault("something follows the object")

    def _value(self) -> str:
        self._next()
        while True:
            try:
                _, end = self._scan(self._text, self._at)
                # A number at the end of what was read may go on.
                if end < len(self._text) or self._ended:
                    break
            except RecursionError:
                raise self._fault("a record is nested too deeply") from None
            except ValueError as error:
                if self._ended:
                    raise self._fault(str(error)) from None
                if len(self._text) - self._at > MAX_RECORD:
                    most = f"the next one is longer than {MAX_RECORD // 2**20} MiB, or broken"
                    raise self._fault(f"{most}: {error}") from None
            self._more()
        found, self._at = self._text[self._at : end], end
        return found

    def _next(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            self._at = end_of_spaces(self._text, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def _more(self) -> None:
        data = self._stream.read(CHUNK)
        self._ended = not data
        try:
            text = self._decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise self._fault(f"{error.reason} ({error.object[error.start]:#04x})") from None
        self._left += self._at
        self._text, self._at = self._text[self._at :] + text, 0

    def _fault(self, reason: str) -> SourceError:
        what = "JSON array" if not self._source.records_key else "JSON object"
        return SourceError(
            f"{self._source.url} is not a whole {what} in UTF-8: after record {self._count}: "
            f"{reason}. Get the file again; if it is the same, its producer must mend it."
        )
