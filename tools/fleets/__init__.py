"""Many projects at once: `tools/fleet.py` stamps them from a table, and updates them."""

from __future__ import annotations


class Problem(Exception):
    """Something a person can mend; the message says what failed and what to do next."""
