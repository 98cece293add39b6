"""Whether what begins with an object is a record in each line, or one that holds them all."""

from __future__ import annotations

import json
from dataclasses import replace

from ingest.arrays import Scanner, end_of_spaces, several_arrays
from ingest.errors import SourceError
from ingest.formats import Format
from ingest.opening import opened, skip
from ingest.steps import SourceFile

HEAD = 65536  # bytes of a source in which its format is looked for
_PIECE = 1024 * 1024


def unwrapped(source: SourceFile, text: str, whole: bool, *, sure: bool) -> SourceFile:
    """The source as records in lines, or as one object with the key that holds the records.

    text: its head; whole: there is no more of it, else what it does not show is looked up, so
    that the outcome is the same for any size. sure: it was said to be one object.
    Raises SourceError where it is not to be told which records are meant.
    """
    lines = replace(source, format=Format.NDJSON)
    last, following = _first_line(source, text, whole)
    # A broken first line is a broken record; only "{" or "{ "key": [" begins a spread object.
    several = following and last not in (b"{", b"[", b",")
    if not sure and several and following not in (b"}", b"]", b","):
        return lines
    found = _arrays(text)
    if not found and not whole:
        found = _first_array(source)
    if len(found) > 1:
        raise several_arrays(source, found)
    if found:
        return replace(source, format=Format.JSON, records_key=found[0], sole_key=True)
    if not sure and (several or not following):
        return lines  # one line, one record
    raise SourceError(
        f"{source.url} is one JSON object with no array of records at its top. Name the key that "
        "holds the records in extract.py: Reading(records_key='…'), or give the array alone, or "
        "one object per line."
    )


def _first_line(source: SourceFile, text: str, whole: bool) -> tuple[bytes, bytes]:
    """With which byte the first line ends, and which one follows it; spaces aside."""
    begin, end, rest = (part.encode() for part in text.partition("\n"))
    last, following = begin.rstrip()[-1:], rest.strip()[:1]
    if following or whole:
        return last, following
    with opened(source) as stream:
        skip(stream, HEAD)
        while not following and (piece := stream.read(_PIECE)):
            if not end:
                begin, end, piece = piece.partition(b"\n")
                last = (last + begin.rstrip())[-1:]
            following = piece.strip()[:1] if end else b""
    return last, following


def _arrays(text: str) -> list[str]:
    """The keys of the object at the text's beginning whose value begins as an array of objects."""
    scan, found, at = json.JSONDecoder(parse_int=float).raw_decode, [], 1
    while True:
        at = end_of_spaces(text, at)
        try:
            key, at = scan(text, at)
            at = end_of_spaces(text, at)
            value = end_of_spaces(text, at + 1)
            if text[at : at + 1] != ":" or not isinstance(key, str):
                return found
            if text.startswith("[", value):
                inner = end_of_spaces(text, value + 1)
                if text[inner : inner + 1] in ("{", "]", ""):
                    found.append(key)
            _, at = scan(text, value)
            at = end_of_spaces(text, at)
        except (ValueError, RecursionError):  # what was read ends here
            return found
        if text[at : at + 1] != ",":
            return found
        at += 1


def _first_array(source: SourceFile) -> list[str]:
    with opened(source) as stream:
        found = Scanner(stream, source).first_array()
    return [] if found is None else [found]
