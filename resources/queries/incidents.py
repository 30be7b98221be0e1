"""The register of incidents: failed runs and failing checks, open until they are resolved. No words, no sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from resources.database import Database
from resources.tables import incidents


@dataclass(frozen=True)
class IncidentRegister:
    """Reads and changes of `incidents`."""

    database: Database

    def record(self, row: Mapping[str, Any]) -> None:
        """Note a failed run or a failing check once, by its incident_id."""
        known = sa.select(incidents.c.incident_id).where(incidents.c.incident_id == row["incident_id"])
        with self.database.write() as connection:
            if connection.scalar(known) is None:
                connection.execute(sa.insert(incidents).values(dict(row)))

    def all(self) -> pd.DataFrame:
        """All incidents, newest first."""
        return self.database.fetch(sa.select(incidents).order_by(incidents.c.happened_at.desc())).to_pandas()

    def open(self) -> list[dict[str, Any]]:
        """Incidents that are not resolved, oldest first."""
        query = sa.select(incidents).where(incidents.c.resolved_at.is_(None))
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(incidents.c.happened_at, incidents.c.incident_id))
            return [dict(row) for row in rows.mappings()]

    def resolve(self, incident_ids: Sequence[str], now: datetime) -> None:
        """What was wrong is no more."""
        self._set(incident_ids, resolved_at=now)

    def notified(self, incident_ids: Sequence[str], now: datetime) -> None:
        """The owner was told."""
        self._set(incident_ids, notified_at=now)

    def _set(self, incident_ids: Sequence[str], **values: Any) -> None:
        with self.database.write() as connection:
            for incident_id in incident_ids:
                row = incidents.c.incident_id == incident_id
                connection.execute(sa.update(incidents).where(row).values(**values))
