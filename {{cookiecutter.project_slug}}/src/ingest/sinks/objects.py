"""Load rows into Parquet files on an object store: S3, Google Cloud Storage or Azure.

Credentials and endpoint come from the environment, by the names that the clouds' own tools use.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingest.contract import Contract
from ingest.duck import connect
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Ready
from ingest.sinks.base import PATIENCE, Say, Waiting, silent
from ingest.sinks.ledger import Ledger
from ingest.sinks.parquet import explained, file_name, merge, read_ledger

_URL = re.compile(r"(s3|gs|az)://([^/\s?#@:]+)((?:/(?!\.{1,2}(?:/|$))[^/?#]+)*)/?")
_STORES = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, the path of a key file",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
# A larger file goes in parts, of which few are in memory; a store takes a condition for one put
# only, so then another load that ends in the same second may be lost.
_ONE_PUT = 64 * 1024 * 1024  # bytes
_TAIL = 64 * 1024  # bytes; most footers of Parquet files are shorter


class ObjectSink:
    """A folder of an object store, with one Parquet file for each table."""

    def __init__(self, target: str, say: Say = silent) -> None:
        match = _URL.fullmatch(target)
        if not match:
            scheme = target.partition("://")[0]
            raise TargetError(
                f"This {scheme} address is no target: write {scheme}://bucket/folder, without a "
                "user, '?' or '#'; credentials belong in the environment."
            )
        self._scheme, self._bucket, folder = match.groups()
        self._folder = folder.strip("/")
        self.shown = f"{self._scheme}://{self._bucket}{folder}/"

    def last_load(self, table: str) -> LastLoad | None:
        return self._look_up(table).last()

    def committed(self, table: str, run_id: str) -> bool:
        return self._look_up(table).committed(run_id)

    def replayed(self, table: str, run_id: str) -> frozenset[int]:
        return self._look_up(table).replayed(run_id)

    def load(
        self,
        ready: Ready,
        contract: Contract,
        load: Load,
        say: Say = silent,
        patience: float = PATIENCE,
    ) -> Loaded:
        """See Sink.load. Begins again where another load has replaced the object meanwhile."""
        key, work = self._key(contract.table), ready.staging.parent
        old, new = work / "target.parquet", work / "next.parquet"
        shown = self.shown + file_name(contract.table)
        waiting = Waiting(shown, say, patience)
        with self._explained():
            store = self._store()
            while True:
                version = _fetch(store, key, old)
                with explained(self.shown, ready):
                    held = old if version else None
                    loaded = merge(work, held, new, ready, contract, load, say, shown)
                if not new.exists() or _put(store, key, new, version):
                    old.unlink(missing_ok=True)
                    new.unlink(missing_ok=True)
                    return loaded
                waiting.pause("another load, which has replaced it meanwhile")

    def _look_up(self, table: str) -> Ledger:
        with self._explained(), tempfile.TemporaryDirectory() as folder:
            footer = Path(folder) / "footer.parquet"
            if not _fetch_footer(self._store(), self._key(table), footer):
                return Ledger()
            with explained(self.shown), connect(Path(":memory:"), footer.parent) as connection:
                return read_ledger(connection, footer, table)

    def _key(self, table: str) -> str:
        name = file_name(table)
        return f"{self._folder}/{name}" if self._folder else name

    def _store(self) -> Any:
        try:
            from obstore import store
        except ImportError:
            raise TargetError(
                "Object stores need the extra `cloud`, which is not installed. In pyproject.toml, "
                'under [tool.blueprint], write extras = ["cloud"], then run: python3 bootstrap.py'
            ) from None
        endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS[self._scheme])), "")
        return getattr(store, _STORES[self._scheme])(
            self._bucket,
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=10),
                "timeout": timedelta(days=1),  # for a whole body; its default is 30 s
            },
        )

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        """Turn what obstore raises into a TargetError; the text of its own may hold keys."""
        try:
            yield
        except Exception as error:
            # What is missing in the store is Python's own FileNotFoundError, without a number.
            missing = isinstance(error, FileNotFoundError) and error.errno is None
            if not missing and not type(error).__module__.startswith("obstore"):
                raise
            text = str(error)
            found = (re.search(r"status code: (\d{3})", text), re.search(r"<Code>(\w+)<", text))
            answer = " ".join(match[1] for match in found if match)
            raise TargetError(
                f"{self.shown} cannot be used; the table in it has not changed "
                f"({type(error).__name__}{': ' + answer if answer else ''}). Is the bucket there, "
                f"is its endpoint right, and do {_CREDENTIALS[self._scheme]} allow to read and "
                "write it?"
            ) from None


def _fetch(store: Any, key: str, path: Path) -> dict[str, Any] | None:
    """Write the object into a file; gives its version, None where there is no object."""
    import obstore

    try:
        found = obstore.get(store, key)
    except FileNotFoundError:
        return None
    with path.open("wb") as file:
        for chunk in found.stream(min_chunk_size=4 * 1024 * 1024):
            file.write(chunk)
    version = {"e_tag": found.meta["e_tag"], "version": found.meta.get("version")}
    return {name: value for name, value in version.items() if value}


def _fetch_footer(store: Any, key: str, path: Path) -> bool:
    """Write a file that has the object's footer where it belongs, and holes elsewhere."""
    import obstore

    try:
        size = obstore.head(store, key)["size"]
        tail = bytes(obstore.get_range(store, key, start=max(0, size - _TAIL), end=size))
        # Parquet ends with the footer's length, in four bytes, and its own name.
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if len(tail) < length <= size:
            tail = bytes(obstore.get_range(store, key, start=size - length, end=size))
    except FileNotFoundError:
        return False
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.seek(size - len(tail))
        file.write(tail)
    return True


def _put(store: Any, key: str, path: Path, version: dict[str, Any] | None) -> bool:
    """Put the file in the place of that version; False where another has come meanwhile."""
    import obstore
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    if path.stat().st_size > _ONE_PUT:
        try:
            now = obstore.head(store, key)["e_tag"]
        except FileNotFoundError:
            now = None
        if now != (version["e_tag"] if version else None):
            return False
        obstore.put(store, key, path)
        return True
    mode: Any = version or "create"
    try:
        obstore.put(store, key, path, mode=mode, use_multipart=False)
    except (AlreadyExistsError, PreconditionError):
        return False
    return True
