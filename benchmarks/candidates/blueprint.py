"""This pipeline: the engine's four steps as the stamped flow.py calls them, without Prefect.

Runs in the stamped project's own environment. All that knows the engine's interfaces is here.
"""

from __future__ import annotations

from uuid import uuid4

import httpcore2  # noqa: F401 (imported with the first request)
from data_pipeline.config import DEFAULT_BATCH_SIZE, LIMITS
from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest import sources
from ingest.contract import Contract
from ingest.gate import judge
from ingest.loading import Load
from ingest.sinks import open_sink
from ingest.staging import stage
from ingest.steps import Step

from job import Job
from shapes import FlatRecord

RUN_ID = str(uuid4())  # a run that was loaded is not loaded again


def run(job: Job) -> None:
    flat = job.file_format == "csv"
    contract = Contract(FlatRecord, CONTRACT.key, CONTRACT.table) if flat else CONTRACT
    step = Step(DEFAULT_BATCH_SIZE, LIMITS, job.work / "quarantine", RUN_ID)
    source = sources.fetch(job.url, job.work)
    judged = judge(source, contract, step, job.work)
    ready = stage(judged, contract, (lambda records: records) if flat else transform, job.work)
    load = Load(RUN_ID, source.url, judged.read)
    open_sink(str(job.target)).load(ready, contract, load)
