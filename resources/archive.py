"""The archive as one Dagster resource: its tables and its storage, by family. No query and no rule of its own."""

# No `from __future__ import annotations`: Dagster reads ResourceDependency from the annotation itself.
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from resources import migrations
from resources.database import Database
from resources.queries.audit import AuditQueries
from resources.queries.backfill import BackfillQueries
from resources.queries.classes import ClassRegister
from resources.queries.drift import DriftQueries
from resources.queries.embedders import EmbedderQueries
from resources.queries.frame_lookup import SqlFrameLookup
from resources.queries.frames import FrameQueries, SqlVectors
from resources.queries.incidents import IncidentRegister
from resources.queries.labels import LabelLedger
from resources.queries.large_reports import LargeReportQueries
from resources.queries.maps import MapQueries
from resources.queries.models import ModelRegistry
from resources.queries.monitoring import MonitoringQueries
from resources.queries.progress import ProgressQueries
from resources.queries.reports import ReportQueries
from resources.queries.retention import RetentionQueries
from resources.queries.reviews import ReviewQueries
from resources.queries.scoring import ScoringQueries
from resources.queries.selection import SelectionQueries
from resources.queries.slices import SliceQueries
from resources.queries.staleness import StalenessQueries
from resources.queries.videos import VideoRegister
from resources.storage import Storage

FOLDERS = (
    *("videos", "label_exports", "kept_exports", "stills"),
    *("labelling_tasks", "checkpoints", "reports", "indexes", "projections"),
)


class Archive(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What assets, checks, sensors and the command line read and change."""

    database: dg.ResourceDependency[Database]
    storage: dg.ResourceDependency[Storage]

    def __reduce__(self) -> tuple[Any, ...]:
        # Dagster's configuration classes do not pickle; workers in other processes read the archive.
        return partial(Archive, database=self.database, storage=self.storage), ()

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Make tables and folders at the first use ever; refuse tables of another revision.

        Later a missing folder is an error and not an empty archive: the disk may not be mounted.
        """
        self.database.make_folder()
        revision = migrations.current(self.database)
        if revision is None:
            self.storage.make_folders(FOLDERS)
            migrations.upgrade(self.database)
        elif revision != migrations.head():
            raise migrations.MigrationError("the tables are of another revision; run `al db upgrade`")

    @property
    def videos(self) -> VideoRegister:
        """The register of videos."""
        return VideoRegister(self.database)

    @property
    def frames(self) -> FrameQueries:
        """Frames and their vectors."""
        return FrameQueries(self.database)

    @property
    def labels(self) -> LabelLedger:
        """Exports, annotations and classes."""
        return LabelLedger(self.database)

    @property
    def classes(self) -> ClassRegister:
        """Changes of classes."""
        return ClassRegister(self.database)

    @property
    def drift(self) -> DriftQueries:
        """Videos in a few numbers, and labels that came after a model."""
        return DriftQueries(self.database)

    @property
    def embedders(self) -> EmbedderQueries:
        """Embedders, and how much of the archive each covers."""
        return EmbedderQueries(self.database)

    @property
    def large_reports(self) -> LargeReportQueries:
        """What the reports show of a large archive."""
        return LargeReportQueries(self.database)

    @property
    def lookup(self) -> SqlFrameLookup:
        """Finds the frames that exports name."""
        return SqlFrameLookup(self.database)

    @property
    def maps(self) -> MapQueries:
        """The map of the archive and what it is made from."""
        return MapQueries(self.database)

    @property
    def models(self) -> ModelRegistry:
        """Training sets, checkpoints and decisions."""
        return ModelRegistry(self.database)

    @property
    def progress(self) -> ProgressQueries:
        """Whether labelling still pays."""
        return ProgressQueries(self.database)

    @property
    def reports(self) -> ReportQueries:
        """What the reports show."""
        return ReportQueries(self.database)

    @property
    def retention(self) -> RetentionQueries:
        """Versions that are not kept for ever."""
        return RetentionQueries(self.database)

    @property
    def reviews(self) -> ReviewQueries:
        """Judged frames to ask about again."""
        return ReviewQueries(self.database)

    @property
    def scoring(self) -> ScoringQueries:
        """What a model has yet to score."""
        return ScoringQueries(self.database)

    @property
    def selection(self) -> SelectionQueries:
        """Candidates and batches."""
        return SelectionQueries(self.database)

    @property
    def slices(self) -> SliceQueries:
        """Slices of the archive, and what models are worth on them."""
        return SliceQueries(self.database)

    @property
    def staleness(self) -> StalenessQueries:
        """Videos of which something is not of what stands now."""
        return StalenessQueries(self.database)

    @property
    def audit(self) -> AuditQueries:
        """What is wrong with the rows of a table."""
        return AuditQueries(self.database)

    @property
    def backfill(self) -> BackfillQueries:
        """How far the archive is worked off."""
        return BackfillQueries(self.database)

    @property
    def incidents(self) -> IncidentRegister:
        """Failed runs and failing checks."""
        return IncidentRegister(self.database)

    @property
    def monitoring(self) -> MonitoringQueries:
        """Drift and counts."""
        return MonitoringQueries(self.database)

    def vectors(self, embedder_id: str) -> SqlVectors:
        """Picklable reader of one embedder's vectors."""
        return SqlVectors(self.frames, embedder_id)

    @staticmethod
    def now() -> datetime:
        """The time, UTC without zone, as tables hold it."""
        return datetime.now(UTC).replace(tzinfo=None)
