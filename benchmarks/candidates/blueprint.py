"""This pipeline: the engine's four steps as the stamped flow.py calls them, without Prefect.

Runs in the stamped project's own environment. All that knows the engine's interfaces is here.
"""

from __future__ import annotations

from pathlib import Path

from data_pipeline.config import DEFAULT_BATCH_SIZE, LIMITS
from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest import sources, warehouse
from ingest.contract import Contract
from ingest.gate import judge
from ingest.staging import stage
from ingest.steps import Step

from job import Job
from shapes import FlatRecord

RUN_ID = "00000000-0000-0000-0000-000000000000"


def run(job: Job) -> None:
    flat = job.file_format == "csv"
    contract = Contract(FlatRecord, CONTRACT.key, CONTRACT.table) if flat else CONTRACT
    step = Step(DEFAULT_BATCH_SIZE, LIMITS, job.work / "quarantine", RUN_ID)
    source = sources.fetch(job.url, job.work)
    judged = judge(source, contract, step, job.work)
    ready = stage(judged, contract, (lambda records: records) if flat else transform, job.work)
    if "://" in job.target:
        raise NotImplementedError("this engine loads DuckDB files")
    warehouse.load(ready.rows, Path(job.target), contract, RUN_ID)
