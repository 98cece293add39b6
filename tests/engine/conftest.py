"""The engine's heavier tests import it from the template itself: it is plain Python."""

import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TEMPLATE / "{{cookiecutter.project_slug}}" / "src"))
