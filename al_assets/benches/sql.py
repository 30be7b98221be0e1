"""`al bench io|views|design|margin`: the benches of resources/, on PostgreSQL too where AL_DATABASE_URL names one.

Not here: what they measure.
"""

from __future__ import annotations

from al_assets.benches.cases import Result
from resources.environments import read_environment


def measure_io(rows: int) -> tuple[Result, Result]:
    """Writing and reading tables against the raw driver, ADBC and pandas; COPY where AL_DATABASE_URL is PostgreSQL."""
    from resources.io_bench import measure_io as measure

    return _both(measure(rows, _postgresql()))


def measure_views(rows: int) -> tuple[Result, Result]:
    """Sightings and co-occurrence month by month over `rows` frames, against a plain aggregate of the same rows."""
    from resources.views_bench import measure_views as measure

    return _both(measure(rows, read_environment().database_url))


def measure_design(rows: int) -> tuple[Result, Result]:
    """Keys, indexes and pages as they are against their alternatives: sql/PHYSICAL_DESIGN.md quotes it."""
    from resources.design_bench import measure_design as measure

    return _both(measure(rows, _postgresql()))


def measure_margin(rows: int) -> tuple[Result, Result]:
    """The least certain 1,000 of `rows` scored frames in SQLite by their index, against a scan and a sort of all."""
    from resources.margin_bench import measure_margin as measure

    return _both(measure(rows))


def _postgresql() -> str | None:
    url = read_environment().database_url
    return url if url.startswith("postgresql") else None


def _both(found: dict[str, Result]) -> tuple[Result, Result]:
    return found["measured"], found["ratios"]
