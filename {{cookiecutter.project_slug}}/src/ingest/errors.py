"""The one family of errors with which a run fails.

Each message is for a person: what failed, on which value, and what to do next.
"""


class PipelineError(Exception):
    """Anything that stops a run and that somebody can do something about."""


class SourceError(PipelineError):
    """The source cannot be fetched or read.

    `transient` says that the same request may well succeed in a moment (a timeout, a
    5xx answer, a body that was cut short), so that a retry is worth its time.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class ContractError(PipelineError):
    """The contract itself cannot be used, whatever the records are."""


class TooManyRejected(PipelineError):
    """More records were refused than the limits allow; nothing was loaded.

    `judged` holds what had been counted until then (an ingest.steps.Judged).
    """

    judged: object = None


class TransformError(PipelineError):
    """The transform failed, or its result cannot be loaded by the contract's key."""


class TargetError(PipelineError):
    """The target cannot be opened or cannot take the rows."""


class SpaceError(PipelineError):
    """A disk is full, and the run has loaded nothing."""
