"""How much the ledger of label exports holds, counted in SQL. Changes nothing; judges nothing."""

import sqlalchemy as sa

from resources.tables import annotations, label_exports, label_rejects, labels


def totals(connection: sa.Connection) -> dict[str, int]:
    """Exports by status, rejected records, frames with labels, and frames on which nobody could tell."""
    by_status = connection.execute(
        sa.select(label_exports.c.status, sa.func.count()).group_by(label_exports.c.status)
    )
    found = {f"exports_{status}": count for status, count in by_status}
    found["rejects"] = connection.scalar(sa.select(sa.func.count()).select_from(label_rejects)) or 0
    query = sa.select(sa.func.count(sa.distinct(labels.c.frame_id)))
    found["labelled_frames"] = connection.scalar(query) or 0
    taken_back = annotations.alias()
    unclear = (
        sa.select(sa.func.count(sa.distinct(annotations.c.frame_id)))
        .join(label_exports, label_exports.c.export_id == annotations.c.export_id)
        .where(label_exports.c.status == "imported", annotations.c.outcome == "cannot_tell")
        .where(~sa.exists().where(labels.c.frame_id == annotations.c.frame_id))
        .where(
            ~sa.exists().where(
                taken_back.c.frame_id == annotations.c.frame_id,
                taken_back.c.annotation_id > annotations.c.annotation_id,
                taken_back.c.annotator == annotations.c.annotator,
                taken_back.c.outcome == "deleted",
            )
        )
    )
    found["unclear_frames"] = connection.scalar(unclear) or 0
    return found


def books(connection: sa.Connection) -> list[tuple[int, str, int, int, int, int, int]]:
    """Per imported export: id, uri, imported, rejected, unchanged, annotation rows, reject rows as stored."""
    stored = (
        sa.select(annotations.c.export_id, sa.func.count().label("n"))
        .group_by(annotations.c.export_id)
        .subquery()
    )
    refused = (
        sa.select(label_rejects.c.export_id, sa.func.count().label("n"))
        .group_by(label_rejects.c.export_id)
        .subquery()
    )
    query = (
        sa.select(
            label_exports.c.export_id,
            label_exports.c.uri,
            label_exports.c.imported,
            label_exports.c.rejected,
            label_exports.c.unchanged,
            sa.func.coalesce(stored.c.n, 0),
            sa.func.coalesce(refused.c.n, 0),
        )
        .outerjoin(stored, stored.c.export_id == label_exports.c.export_id)
        .outerjoin(refused, refused.c.export_id == label_exports.c.export_id)
        .where(label_exports.c.status == "imported")
        .order_by(label_exports.c.export_id)
    )
    return [tuple(row) for row in connection.execute(query)]
