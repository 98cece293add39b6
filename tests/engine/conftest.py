"""These tests import the stamped project's engine from where it stands in the template."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(next(ROOT.glob("*/src/ingest")).parent))
