"""The flow: extract, validate, transform, load. Start reading here.

What the pipeline does is written in contract.py, transform.py, extract.py and load.py; this
file says in which order, and what Prefect does about it: retries, logs, states.
"""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from data_pipeline.config import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_QUARANTINE,
    DEFAULT_TARGET,
    LIMITS,
    SHOW_REFUSED_RECORDS,
    BatchSize,
    ExtractConfig,
    QuarantinePath,
    SourceUrl,
    TargetPath,
)
from data_pipeline.contract import CONTRACT
from data_pipeline.extract import extract
from data_pipeline.load import load
from data_pipeline.transform import transform
from ingest.gate import judge
from ingest.staging import stage
from ingest.steps import Judged, Loaded, Ready, SourceFile, Step
from ingest.summary import RunSummary
from runtime.progress import progress
from runtime.project import resolve
from runtime.report import reported
from runtime.retries import is_transient
from runtime.work import run_id, work_folder


# The retries stand here and in no HTTP client, so that each is seen in the run.
@task(
    name="extract",
    retries=3,
    retry_delay_seconds=2,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def extract_source(config: ExtractConfig, work: Path) -> SourceFile:
    """Bring the source to a local file."""
    with progress() as say:
        source = extract(config, work, say)
    get_run_logger().info(f"Got {source.url}: {source.format}, {source.size / 1e6:,.2f} MB")
    return source


@task(name="validate", cache_policy=NO_CACHE)
def validate_records(source: SourceFile, step: Step, work: Path) -> Judged:
    """Judge each record by the contract; refused ones go to quarantine."""
    logger = get_run_logger()
    with progress() as say:
        judged = judge(source, CONTRACT, step, work, say)
    logger.info(f"Judged {judged.read:,} records, accepted {judged.accepted:,}")
    if judged.rejected:
        reasons = judged.common_reasons()
        logger.warning(f"Refused {judged.rejected:,}: {reasons}. See {judged.quarantine}")
    if not judged.read:
        logger.warning(f"{source.url} holds no record")
    return judged


@task(name="transform", cache_policy=NO_CACHE)
def transform_records(judged: Judged, work: Path) -> Ready:
    """Turn accepted records into rows with one row for each key."""
    ready = stage(judged, CONTRACT, transform, work)
    get_run_logger().info(f"Made {ready.count:,} rows, {ready.duplicates:,} records superseded")
    return ready


@task(name="load", cache_policy=NO_CACHE)
def load_rows(ready: Ready, target: Path, run: str) -> Loaded:
    """Bring the rows into the target in one transaction."""
    with progress(at_once=True) as say:
        return load(ready.rows, target, run, say)


@flow(
    name={% set q = "'" if cookiecutter.project_name.count('"') > cookiecutter.project_name.count("'") else '"' %}{{ q ~ cookiecutter.project_name | replace("\\", "\\\\") | replace(q, "\\" ~ q) ~ q }},
)
def data_pipeline(
    source_url: SourceUrl,
    batch_size: BatchSize = DEFAULT_BATCH_SIZE,
    target: TargetPath = DEFAULT_TARGET,
    quarantine: QuarantinePath = DEFAULT_QUARANTINE,
) -> RunSummary:
    """Load the records of a source that keep the contract, each once."""
    config = ExtractConfig(source_url=source_url, batch_size=batch_size)
    run, destination = run_id(), Path(resolve(target))
    step = Step(config.batch_size, LIMITS, Path(resolve(quarantine)), run)

    with (
        reported(run, CONTRACT, destination, show_raw=SHOW_REFUSED_RECORDS) as report,
        work_folder() as work,
    ):
        report.source = source = extract_source(config, work)
        report.judged = judged = validate_records(source, step, work)
        report.ready = ready = transform_records(judged, work)
        report.loaded = load_rows(ready, destination, run)
    return report.summary
