"""The orders that every candidate loads: the same bytes each time, made once, then kept.

They have the fields of the contract that a stamped project begins with (see
`tools/make_sample_orders.py`), with prices as JSON numbers of two places. What is made lies in
`benchmarks/.cache`, which git ignores, under a name that changes when this file does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from multiprocessing import Pool
from pathlib import Path

import duckdb

from shapes import COLUMNS, FLATTENED

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
CHUNK = 20_000  # orders that one call of a worker makes
SPOILED_EVERY = 100
BAD = "orders-1-percent-bad.ndjson"
NESTED_CSV = "orders-nested.csv"

sys.path.insert(0, str(HERE.parent / "tools"))
import make_sample_orders as sample  # noqa: E402


def dataset(rows: int, name: str) -> Path:
    """The file of `rows` orders called `name` (a key of MAKERS), made if it is not there."""
    made_by = b"".join((HERE / source).read_bytes() for source in ("data.py", "shapes.py"))
    folder = CACHE / f"orders-{rows}-{hashlib.sha256(made_by).hexdigest()[:8]}"
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{name}.unfinished"
        print(f"Making {rows:,} orders as {name}", flush=True)
        MAKERS[name](rows, unfinished)
        unfinished.replace(path)
    return path


def _ndjson(rows: int, path: Path) -> None:
    chunks = [(first, min(CHUNK, rows - first)) for first in range(0, rows, CHUNK)]
    with Pool(os.cpu_count()) as pool, path.open("wb") as file:
        file.writelines(pool.imap(_chunk, chunks))


def _chunk(span: tuple[int, int]) -> bytes:
    first, count = span
    dice = random.Random(f"orders {first}")
    return "".join(_order(place, dice) for place in range(first, first + count)).encode()


_MARKETS = [
    (currency, timezone(timedelta(hours=offset)), first.split(), last.split(), domain, country)
    for country, currency, offset, first, last, domain in sample.MARKETS
]
_STATUSES, _GOODS = sample.STATUSES, sample.GOODS
_NOTES = [json.dumps(note, ensure_ascii=False) for note in sample.NOTES]
_LINES = (1, 1, 1, 1, 2, 2)
_QUANTITIES = (1, 1, 1, 1, 2, 2, 3, 6)
_START = int(sample.START.timestamp())


def _order(place: int, dice: random.Random) -> str:
    """One sound order as a line; text, since building and dumping a dict takes several times."""
    luck = dice.random

    def one_of(options):
        return options[int(luck() * len(options))]

    currency, zone, firsts, lasts, domain, country = one_of(_MARKETS)
    ordered = _START + place * 31 + int(luck() * 30)
    updated = ordered + 60 + int(luck() * 540_000)
    customer = 1 + int(luck() * 90_000)
    local = "Customer" if luck() < 0.1 else "customer"
    items = ",".join(
        f'{{"sku":"{one_of(_GOODS)}-{100 + int(luck() * 900)}","quantity":{one_of(_QUANTITIES)},'
        f'"unit_price":{_money(250 + int(luck() * 24_650))}}}'
        for _ in range(one_of(_LINES))
    )
    note = f',"note":{one_of(_NOTES)}' if luck() < 0.06 else ""
    return (
        f'{{"order_id":{100_001 + place},"status":"{one_of(_STATUSES)}","customer":'
        f'{{"customer_id":{customer},"name":"{one_of(firsts)} {one_of(lasts)}",'
        f'"email":"{local}.{customer}@{domain}","country":"{country}"}},"items":[{items}],'
        f'"currency":"{currency}","shipping":{_money(one_of((0, 0, 490, 990)))},'
        f'"ordered_at":"{datetime.fromtimestamp(ordered, zone).isoformat()}",'
        f'"updated_at":"{datetime.fromtimestamp(updated, zone).isoformat()}"{note}}}\n'
    )


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _spoiled(rows: int, path: Path) -> None:
    """The same orders with one in a hundred spoiled, in each way that the sample knows."""
    spoilers = list(sample.SPOILERS.values())
    with dataset(rows, "orders.ndjson").open("rb") as sound, path.open("wb") as file:
        for number, line in enumerate(sound, start=1):
            if number % SPOILED_EVERY == 0:
                spoil = spoilers[number // SPOILED_EVERY % len(spoilers)]
                line = spoil(json.loads(line)).encode() + b"\n"
            file.write(line)


def _array(rows: int, path: Path) -> None:
    with dataset(rows, "orders.ndjson").open("rb") as lines, path.open("wb") as file:
        file.write(b"[\n")
        file.writelines(_separated(lines))
        file.write(b"\n]\n")


def _separated(lines: Iterator[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line.rstrip(b"\n") if number == 0 else b",\n" + line.rstrip(b"\n")


def _gzip(rows: int, path: Path) -> None:
    with (
        dataset(rows, "orders.ndjson").open("rb") as plain,
        gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed, 1 << 20)


# As text, timestamps keep the offset that they were written with.
_AS_TEXT = {name: "VARCHAR" if "TIMESTAMP" in kind else kind for name, kind in COLUMNS.items()}


def _csv(rows: int, path: Path) -> None:
    flat = ", ".join(f"{what} AS {name}" for name, what in FLATTENED.items())
    _copy(f"SELECT {flat} FROM {_orders(rows, _AS_TEXT)}", path, "FORMAT csv, HEADER")


def _nested_csv(rows: int, path: Path) -> None:
    """One column for each field, the nested ones as JSON: what Postgres's COPY takes."""
    nested = {"customer": "JSON", "items": "JSON"}
    _copy(f"FROM {_orders(rows, {**_AS_TEXT, **nested})}", path, "FORMAT csv, HEADER")


def _parquet(rows: int, path: Path) -> None:
    _copy(f"FROM {_orders(rows, COLUMNS)}", path, "FORMAT parquet")


def _orders(rows: int, columns: dict[str, str]) -> str:
    source = dataset(rows, "orders.ndjson")
    return f"read_json('{source}', format = 'newline_delimited', columns = {columns})"


def _copy(query: str, path: Path, options: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}' ({options})")


MAKERS: dict[str, Callable[[int, Path], None]] = {
    "orders.ndjson": _ndjson,
    BAD: _spoiled,
    "orders.json": _array,
    "orders.ndjson.gz": _gzip,
    "orders.csv": _csv,
    NESTED_CSV: _nested_csv,
    "orders.parquet": _parquet,
}
