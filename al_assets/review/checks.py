"""Checks on `label_review`: what a person should look at. Aggregates only; no rows are loaded."""

import dagster as dg

from al_assets.review.assets import label_review
from resources.archive import Archive


@dg.asset_check(asset=label_review, description="No label looks wrong to models that did not see its clip.")
def no_label_looks_wrong(archive: Archive) -> dg.AssetCheckResult:
    """A warning with the number of implausible labels; the view label_errors has each with its evidence."""
    doubted = int(archive.monitoring.query("SELECT COUNT(*) AS n FROM label_errors")["n"].iloc[0])
    told = f"{doubted} labels look wrong to models of other clips; look at them in the view label_errors"
    return dg.AssetCheckResult(
        passed=not doubted,
        severity=dg.AssetCheckSeverity.WARN,
        description=told if doubted else "every label is plausible to models of other clips",
        metadata={"implausible_labels": doubted},
    )


CHECKS = (no_label_looks_wrong,)
