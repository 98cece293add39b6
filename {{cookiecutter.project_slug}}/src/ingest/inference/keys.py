"""Which column names a record: one that is named like a key, and is unique and never null."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ingest.duck import connect, file_literal, parquet_table, quote
from ingest.inference.shapes import BIG, TEXT, Parts, Plain
from ingest.steps import SourceFile

_KEY_WORDS = {"id", "uuid", "guid", "key", "code", "number", "identifier"}
_KEY_NAMES = {"no", "nr", "num", "sku", "isbn", "ean", "ref"}
# They end like a key, and name something else than the record.
_OTHERS = {"phone", "mobile", "fax", "zip", "postal", "post", "area", "country", "house"}
_KEY_SHAPES = (Plain("int"), TEXT, Plain("UUID"), BIG)


def is_like_a_key(name: str) -> bool:
    """Whether a column is named like a key: id, order_id, orderId, ID, Inspection ID."""
    spread = re.sub("([a-z0-9])([A-Z])", r"\1 \2", name)
    words = [word.lower() for word in re.split(r"[\W_]+", spread) if word]
    if not words or set(words[:-1]) & _OTHERS:
        return False
    return words[-1] in _KEY_WORDS or (len(words) == 1 and words[0] in _KEY_NAMES)


class Candidates:
    """The columns that may be the key, fewer with each block of records."""

    def __init__(self, work: Path) -> None:
        """Values are kept in files in the folder `work`: memory does not grow with the source."""
        self._work = work
        self._files: dict[str, tuple[type, BinaryIO]] | None = None

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Look at some more records."""
        if self._files is None:
            self._files = self._begun(records[0])
        for name, (kind, file) in list(self._files.items()):
            values = [record.get(name) for record in records]
            if set(map(type, values)) != {kind} or len(set(values)) < len(values):
                file.close()
                del self._files[name]
                continue
            file.write(b"".join(json.dumps(value).encode() + b"\n" for value in values))

    def unique(self) -> list[str]:
        """The columns of which no value came twice."""
        found = []
        for name, (_, file) in (self._files or {}).items():
            file.close()
            if self._is_unique(Path(file.name)):
                found.append(name)
        return found

    def _begun(self, first: Mapping[str, Any]) -> dict[str, tuple[type, BinaryIO]]:
        names = [name for name in first if is_like_a_key(name) and type(first[name]) in (int, str)]
        # An open file each: of very many the first ones do.
        return {
            name: (type(first[name]), (self._work / f"key{place}.txt").open("wb"))
            for place, name in enumerate(names[:20])
        }

    def _is_unique(self, path: Path) -> bool:
        with connect(self._work / "keys.duckdb", self._work) as connection:
            # JSON text has neither line breaks nor this separator in it.
            lines = (
                f"read_csv({file_literal(path)}, hive_partitioning = false, columns = "
                + "{'v': 'VARCHAR'}, "
                "delim = '\x01', quote = '', escape = '', header = false, max_line_size = 50000000)"
            )
            twice = connection.execute(
                f"SELECT count(*) = count(DISTINCT v) FROM {lines}"
            ).fetchall()
            return bool(twice[0][0])


def unique_in_parquet(source: SourceFile, names: Iterable[str], work: Path) -> list[str]:
    """The columns named like a key that are unique and never null in a Parquet file."""
    found = []
    with connect(work / "keys.duckdb", work) as connection:
        for name in filter(is_like_a_key, names):
            column = quote(name)
            asked = f"count(*) = count({column}) AND count(*) = count(DISTINCT {column})"
            rows = connection.execute(
                f"SELECT {asked} FROM {parquet_table(source.path)}"
            ).fetchall()
            if rows[0][0]:
                found.append(name)
    return found


def chosen(unique: Iterable[str], record: Parts, table: str) -> str | None:
    """The key among unique columns: `id`, else one that is called as the table, else the first."""
    fits = {part.name for part in record.parts if part.shape in _KEY_SHAPES and not part.optional}
    stem = re.sub("[^a-z0-9]", "", table.lower()).rstrip("s")

    def rank(name: str) -> int:
        plain = re.sub("[^a-z0-9]", "", name.lower())
        if plain == "id":
            return 0
        return 1 if stem and plain.startswith(stem) else 2

    return min((name for name in unique if name in fits), key=rank, default=None)
