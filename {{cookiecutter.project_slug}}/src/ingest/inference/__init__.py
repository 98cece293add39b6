"""A contract inferred from a source: Pydantic code that accepts every record of it."""

from ingest.inference.inferring import Inferred, infer
from ingest.inference.marks import fingerprint, inferred_from
from ingest.inference.names import table_name

__all__ = ["Inferred", "fingerprint", "infer", "inferred_from", "table_name"]
