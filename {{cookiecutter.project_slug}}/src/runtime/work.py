"""What surrounds the steps of one run: its id, its name and its folder."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from prefect.runtime import deployment, flow_run

from ingest.sources import without_secrets
from runtime.project import WORK_PREFIX

_LONGEST = 80  # characters that are shown of a source


def run_id() -> str:
    """The id of the flow run that this is part of."""
    return str(flow_run.id)


def deployment_of_this_run() -> tuple[str | None, str | None]:
    """The id and the name of the deployment that made this run; None for one that none made."""
    return _deployment_of(run_id())


@lru_cache(maxsize=8)
def _deployment_of(run: str) -> tuple[str | None, str | None]:
    # Of a run that no deployment made, Prefect asks the server anew for each of the two.
    given = deployment.id
    return (given, deployment.name) if given else (None, None)


def run_name() -> str:
    """What ran, for `flow_run_name`: "gifted-otter: full, orders.ndjson".

    It begins with the name that the run had, which is what whoever asked for it knows.
    """
    given, before = flow_run.parameters, str(flow_run.name)
    words = [str(given.get("mode") or "full")]
    for word, key in (("from", "since"), ("until", "until")):
        if given.get(key):
            words.append(f"{word} {given[key]}")
    source = without_secrets(str(given.get("source_url", ""))).partition("?")[0].rstrip("/")
    what = f": {' '.join(words)}, {source.rpartition('/')[2][:_LONGEST]}"
    return before if before.endswith(what) else before + what  # it has it in a second attempt


@contextmanager
def work_folder() -> Generator[Path, None, None]:
    """A folder of this run alone, removed at its end, also after a failure."""
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
