"""Compute outside, write inside: spool a slice, then replace it in one short transaction.

Everything about Dagster lives in `sql_io_manager.py`; everything about a named database in `bulk/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched  # type: ignore[attr-defined]
