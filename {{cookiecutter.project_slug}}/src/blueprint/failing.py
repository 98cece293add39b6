"""Runs the failure scenarios, for `blueprint test-failure`: python -m blueprint.failing SCRATCH [NAME].

A process of its own: it speaks to a temporary server, and Prefect reads its settings once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from blueprint.failing_source import served
from blueprint.pipelines.which import package_of
from blueprint.scenarios import Outcome, Scenarios


def run(scratch: Path, doing: Callable[[str], None], pipeline: str | None) -> list[Outcome]:
    """All scenarios of a pipeline, in `scratch`.

    Raises:
        Problem: the source has no record that fits the contract, or the manifest has faults.
        PipelineError: the source cannot be read.
    """
    from blueprint import local, project

    project.enter()
    doing("starting a temporary server, with a database of its own (some 20 s)")
    local.without_server()
    from blueprint import cuts, manifest

    deployment = manifest.load().chosen(pipeline)
    doing("cutting records from the source")
    small = cuts.cut_source(deployment, scratch / "cut")
    if not small.count:
        raise project.Problem(
            "No record of the source fits the contract. Is contract.py of another source? "
            "scripts/phase1_execute.sh infers one where nobody has edited it."
        )
    outcomes = []
    with served(small.path, package_of(deployment)) as source:
        for outcome in Scenarios(scratch, source, deployment).all():
            outcomes.append(outcome)
            doing(f"{outcome.scenario}: {outcome.ended}, {outcome.retries} retries")
    return outcomes


def main() -> None:
    """Write the outcomes to results.json in the scratch folder."""
    from blueprint import project, show
    from ingest.errors import PipelineError

    scratch, pipeline = Path(sys.argv[1]), next(iter(sys.argv[2:]), None)
    try:
        outcomes = run(scratch, show.doing, pipeline)
    except (project.Problem, PipelineError) as problem:
        print(f"\nblueprint: {problem}", file=sys.stderr)
        sys.exit(1)
    text = json.dumps([asdict(one) for one in outcomes])
    (scratch / "results.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
