"""What an asset's page in the Dagster UI says before anything has run: columns, tables, lineage, owners, freshness.

Applied to all assets at once when the definitions are put together. What a run adds is the IO manager's and the
asset's own matter; the first words on a page are the asset's docstring.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from al_assets.column_lineage import LINEAGE
from al_assets.jobs import INGEST_ASSETS, LEARN_ASSETS
from al_assets.settings import FreshnessSettings, Settings
from al_assets.table_checks import HELD
from resources.table_metadata import column_schema
from resources.tables import metadata as declared

HELD_TABLES = {held.asset: tuple(held.tables) for held in HELD}
LOOP = frozenset((*INGEST_ASSETS, *LEARN_ASSETS))
"""Assets that grow old when the loop stands still; the others are made when somebody asks."""


def own_table(spec: dg.AssetSpec) -> str | None:
    """The table that an asset's columns, row count and lineage are of; None for an asset of files."""
    name = spec.metadata.get("table") or spec.metadata.get("dagster/table_name")
    if name is not None:
        return str(name)
    held = HELD_TABLES.get(spec.key.to_user_string())
    return held[0] if held else None


def freshness_policy(settings: FreshnessSettings) -> dg.FreshnessPolicy | None:
    """The owner's policy; None where nothing is to grow old."""
    if not settings.fail_days:
        return None
    warn = timedelta(days=settings.warn_days) if settings.warn_days else None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(days=settings.fail_days), warn_window=warn)


def furnished(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """The asset with what its page says."""
    name = spec.key.to_user_string()
    policy = freshness_policy(settings.freshness) if name in LOOP else None
    spec = dg.apply_freshness_policy(spec, policy) if policy else spec
    return spec.replace_attributes(
        owners=[*(spec.owners or ()), *settings.archive.owners],
        metadata={**spec.metadata, **_tables(spec), **_lineage(name)},
    )


def _tables(spec: dg.AssetSpec) -> dict[str, Any]:
    """Name and columns of its own table, and all tables it writes with what a row of each is."""
    own = own_table(spec)
    if own is None:
        return {}
    asset = spec.key.to_user_string()
    names = dict.fromkeys((own, *HELD_TABLES.get(asset, ())))
    lines = [f"- `{name}`: {declared.tables[name].comment}" for name in names]
    return {
        "dagster/table_name": own,
        "dagster/column_schema": column_schema(own, LINEAGE.get(asset, {})),
        **({"tables": dg.MetadataValue.md("\n".join(lines))} if len(names) > 1 else {}),
    }


def _lineage(asset: str) -> dict[str, Any]:
    if asset not in LINEAGE:
        return {}
    deps = {column: [_dep(source) for source in sources] for column, sources in LINEAGE[asset].items()}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)}


def _dep(source: str) -> dg.TableColumnDep:
    asset, column = source.rsplit(".", 1)
    return dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=column)
