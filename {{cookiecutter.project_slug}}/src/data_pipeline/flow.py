"""The flow: extract, validate, transform, load. Start reading here.

What the pipeline does is written in contract.py, transform.py, extract.py and load.py; this
file says in which order, and what Prefect does about it: retries, logs, states.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from data_pipeline.config import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_QUARANTINE,
    DEFAULT_TARGET,
    EXTRACT_TIMEOUT,
    LIMITS,
    MAX_WORKERS,
    RUN_TIMEOUT,
    SHOW_REFUSED_RECORDS,
    BatchSize,
    ExtractConfig,
    QuarantinePath,
    RunMode,
    SourceUrl,
    Target,
)
from data_pipeline.contract import CONTRACT
from data_pipeline.extract import extract
from data_pipeline.load import load, window
from data_pipeline.transform import transform
from ingest.gate import judge
from ingest.loading import Load, Loaded, Mode, Ready
from ingest.planning import moment
from ingest.sinks import open_sink
from ingest.staging import stage
from ingest.steps import Judged, SourceFile, Step, Window
from ingest.summary import RunSummary
from runtime.progress import progress
from runtime.project import resolve, resolve_target
from runtime.report import reported
from runtime.retries import is_transient
from runtime.tell import tell_of_failure
from runtime.work import run_id, run_name, work_folder

# Prefect's own runs any number of tasks at once.
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=MAX_WORKERS)


def plan_window(mode: Mode, target: str, since: datetime | None, until: datetime | None) -> Window:
    """Find out which records the run takes: all, those since the last load, or a range."""
    with progress(at_once=True) as say:
        found = window(mode, target, since, until, say)
    if found != Window():
        get_run_logger().info(f"Taking records from {found.since} up to {found.until or 'now'}")
    return found


# The retries stand here and in no HTTP client, so that each is seen in the run. No task has its
# result kept or taken from a cache: it hands on files of this run alone, and loads.
@task(
    name="extract",
    retries=3,
    retry_delay_seconds=2,
    retry_condition_fn=is_transient,
    timeout_seconds=EXTRACT_TIMEOUT,
    cache_policy=NO_CACHE,
)
def extract_source(config: ExtractConfig, part: Window, work: Path) -> SourceFile:
    """Bring the source to a local file."""
    with progress() as say:
        source = extract(config, work, say, moment(part.since), moment(part.until))
    get_run_logger().info(f"Got {source.url}: {source.kind}, {source.size / 1e6:,.2f} MB")
    return source


@task(name="validate", cache_policy=NO_CACHE)
def validate_records(source: SourceFile, step: Step, work: Path) -> Judged:
    """Judge each record by the contract; refused ones go to quarantine."""
    logger = get_run_logger()
    with progress() as say:
        judged = judge(source, CONTRACT, step, work, say)
    logger.info(f"Judged {judged.read:,} records, accepted {judged.accepted:,}: {judged.way}")
    if judged.rejected:
        reasons = judged.common_reasons()
        logger.warning(f"Refused {judged.rejected:,}: {reasons}. See {judged.quarantine}")
    return judged


@task(name="transform", cache_policy=NO_CACHE)
def transform_records(judged: Judged, part: Window, work: Path) -> Ready:
    """Turn accepted records into rows with one row for each key."""
    ready = stage(judged, CONTRACT, transform, work, part)
    logger = get_run_logger()
    logger.info(f"Made {ready.count:,} rows, {ready.duplicates:,} records superseded")
    if ready.way:
        logger.warning(f"The transform is slow: it is given {ready.way}")
    return ready


@task(name="load", cache_policy=NO_CACHE)
def load_rows(ready: Ready, told: Load, target: str) -> Loaded:
    """Bring the rows into the target in one transaction."""
    with progress(at_once=True) as say:
        return load(ready, told, target, say, get_run_logger().warning)


@flow(
    name={% set q = "'" if cookiecutter.project_name.count('"') > cookiecutter.project_name.count("'") else '"' %}{{ q ~ cookiecutter.project_name | replace("\\", "\\\\") | replace(q, "\\" ~ q) ~ q }},
    flow_run_name=run_name,
    timeout_seconds=RUN_TIMEOUT,
    task_runner=RUNNER,
    on_failure=[tell_of_failure],
    on_crashed=[tell_of_failure],
)
def data_pipeline(
    source_url: SourceUrl,
    batch_size: BatchSize = DEFAULT_BATCH_SIZE,
    target: Target = DEFAULT_TARGET,
    quarantine: QuarantinePath = DEFAULT_QUARANTINE,
    mode: RunMode = Mode.FULL,
    since: datetime | None = None,
    until: datetime | None = None,
    accept_other_source: bool = False,
) -> RunSummary:
    """Load the records of a source that keep the contract, each once."""
    config = ExtractConfig(source_url=source_url, batch_size=batch_size)
    run, destination = run_id(), resolve_target(target)
    step = Step(config.batch_size, LIMITS, Path(resolve(quarantine)), run)

    with (
        reported(
            run, CONTRACT, open_sink(destination).shown, mode=mode, show_raw=SHOW_REFUSED_RECORDS
        ) as report,
        work_folder() as work,
    ):
        part = plan_window(mode, destination, since, until)
        report.source = source = extract_source(config, part, work)
        report.judged = judged = validate_records(source, step, work)
        report.ready = ready = transform_records(judged, part, work)
        report.watermark = ready.watermark
        told = Load(run, source.url, judged.read, mode, accept_other_source, ready.watermark)
        report.loaded = load_rows(ready, told, destination)
    return report.summary
