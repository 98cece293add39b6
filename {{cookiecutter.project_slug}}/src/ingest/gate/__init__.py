"""The gate: each record is judged as the contract's `model_validate` would, and staged."""

from ingest.gate.judging import judge

__all__ = ["judge"]
