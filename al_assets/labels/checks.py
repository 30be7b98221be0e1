"""Checks on `labels`: statements about imports. Aggregates only; no rows are loaded."""

import dagster as dg

from al_assets.labels.assets import labels
from resources.archive import Archive


@dg.asset_check(
    asset=labels, blocking=True, description="Every record of every import is a judgement or a reject."
)
def every_record_is_accounted_for(archive: Archive) -> dg.AssetCheckResult:
    """An error that stops training: the ledger's counts and the stored rows must agree, export by export."""
    wrong = [
        f"{uri} (export {export_id}): the ledger says {imported} imported, {unchanged} of them known, {rejected} "
        f"rejected; stored are {annotations} judgements and {rejects} rejects"
        for export_id, uri, imported, rejected, unchanged, annotations, rejects in archive.labels.books()
        if rejects != rejected
        or annotations > imported - unchanged
        or (imported > unchanged and not annotations)
    ]
    totals = archive.labels.totals()
    return dg.AssetCheckResult(
        passed=not wrong,
        description="; ".join(wrong[:3]) or "imported and rejected records add up in every export",
        metadata={"exports_that_do_not_add_up": len(wrong), **totals},
    )


@dg.asset_check(asset=labels, description="Every export could be read; those set aside are listed.")
def every_export_was_readable(archive: Archive) -> dg.AssetCheckResult:
    """A warning that names quarantined files and why; correct the file and drop it again."""
    aside = archive.labels.exports("quarantined")
    return dg.AssetCheckResult(
        passed=not aside,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{export.uri}: {export.error}" for export in aside[:3])
        or "all exports were readable",
        metadata={"quarantined": len(aside)},
    )


@dg.asset_check(asset=labels, description="No record was rejected.")
def no_record_was_rejected(archive: Archive) -> dg.AssetCheckResult:
    """A warning with the number of rejects; each lies in `label_rejects` with its reason."""
    rejects = archive.labels.totals()["rejects"]
    return dg.AssetCheckResult(
        passed=not rejects,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{rejects} records were rejected; see the table label_rejects" if rejects else "none",
        metadata={"rejected_records": rejects},
    )


CHECKS = (every_record_is_accounted_for, every_export_was_readable, no_record_was_rejected)
