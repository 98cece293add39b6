"""A load in a process of its own, to be killed: it says what it hears of the load's progress."""

import sys
from dataclasses import replace
from pathlib import Path

paths, target, staging, count, contract = sys.argv[1:]
sys.path[:0] = paths.split("|")

from ingest.loading import Ready  # noqa: E402
from ingest.sinks import open_sink  # noqa: E402
from sink_rules import FULL, KEYED, UNKEYED  # noqa: E402

ready = Ready(Path(staging), int(count), 0, int(count))
load = replace(FULL, run_id="new")


def say(text: str) -> None:
    print(text, flush=True)


open_sink(target).load(ready, KEYED if contract == "keyed" else UNKEYED, load, say)
say("Loaded")
