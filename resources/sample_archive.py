"""A large sound archive made inside SQLite, for benches of checks and reports: every table that they read has rows.

Ten classes, one model that serves, a batch in a hundred labelled. Not here: what is measured on it.
"""

from __future__ import annotations

import numpy as np

from resources.database import Database
from resources.margin_bench import CHECKPOINT, KEY, NUMBERS, fill_scores

CLASSES = 10
LABELLED_EVERY = 100
BLOCK = 10_000
AT = "'2026-01-01 00:00:00'"


def fill_archive(database: Database, rows: int, embedder_id: str, *, dimensions: int = 256) -> None:
    """`rows` frames with random vectors, scores, a prediction each; one in a hundred labelled and trained on."""
    fill_scores(database, rows)
    with database.write() as connection:
        for statement in _statements(rows, dimensions):
            connection.exec_driver_sql(statement.replace("EMBEDDER", embedder_id))
        keys = [key for (key,) in connection.exec_driver_sql("SELECT frame_id FROM frames ORDER BY frame_id")]
        rng = np.random.default_rng(0)
        for start in range(0, rows, BLOCK):
            part = keys[start : start + BLOCK]
            vectors = rng.normal(size=(len(part), dimensions)).astype("<f2")
            connection.exec_driver_sql(
                "INSERT INTO embeddings VALUES (?, ?, ?)",
                [(embedder_id, key, vector.tobytes()) for key, vector in zip(part, vectors, strict=True)],
            )


def _statements(rows: int, dimensions: int) -> tuple[str, ...]:
    numbers, few = NUMBERS.format(rows), NUMBERS.format(max(1, rows // LABELLED_EVERY))
    frame = KEY.replace("(n ", f"(n * {LABELLED_EVERY} ").replace("n %", f"n * {LABELLED_EVERY} %")
    own_class = f"n % {CLASSES} + 1"
    return (
        "UPDATE videos SET width = 640, height = 480, site = 'site ' || (video_no % 12), recorded_at = "
        "datetime('2025-01-01', '+' || video_no || ' hours')",
        f"INSERT INTO classes (class_id, name, aliases, active, created_at) {NUMBERS.format(CLASSES)} "
        f"SELECT n + 1, 'class ' || (n + 1), '[]', 1, {AT} FROM numbers",
        "INSERT INTO embedders (embedder_id, backbone, weights_sha256, dimensions, created_at) "
        f"VALUES ('EMBEDDER', 'bench', '', {dimensions}, {AT})",
        "UPDATE video_coverage SET version = 'EMBEDDER' WHERE asset = 'embeddings'",
        "INSERT INTO predictions (checkpoint_id, frame_id, instance, class_id, confidence) "
        f"{numbers} SELECT '{CHECKPOINT}', {KEY}, 0, {own_class}, 0.5 FROM numbers",
        f"UPDATE frame_scores SET top_class_id = frame_id % {CLASSES} + 1, runner_up_class_id = "
        f"(frame_id + 1) % {CLASSES} + 1",
        "INSERT INTO label_exports (export_id, uri, etag, size_bytes, sha256, status, imported, rejected, unchanged, "
        "registered_at, imported_at) VALUES "
        f"(1, 'a.csv', '', 0, '', 'imported', {max(1, rows // LABELLED_EVERY)}, 0, 0, {AT}, {AT})",
        "INSERT INTO annotations (annotation_id, export_id, position, frame_id, annotator, outcome, judged_through, "
        f"content_key) {few} SELECT 4294967296 + n, 1, n, {frame}, 'ann', 'labelled', {CLASSES}, n FROM numbers",
        "INSERT INTO annotation_labels (annotation_id, mark, class_id) "
        f"{few} SELECT 4294967296 + n, 0, {own_class} FROM numbers",
        "INSERT INTO labels (frame_id, class_id, present, agreement, annotators, annotation_id) "
        f"{few} SELECT {frame}, {own_class}, 1, 1.0, 1, 4294967296 + n FROM numbers",
        "INSERT INTO training_sets (training_set_id, frame_id, class_id, target, split, weight, annotation_id) SELECT "
        "'ts-bench', l.frame_id, l.class_id, 1, v.split, 1.0, l.annotation_id FROM labels l JOIN videos v ON "
        "v.video_no = l.frame_id / 16777216",
        "INSERT INTO materializations (asset, slice, rows, content_hash, committed_at) SELECT 'training_set', "
        f"'ts-bench', COUNT(*), '', {AT} FROM training_sets",
        "INSERT INTO checkpoints (checkpoint_id, embedder_id, training_set_id, task, head, seed, hyperparameters, "
        "class_ids, labelled_frames, uri, sha256, code_version, run_id, trained_at) VALUES "
        f"('{CHECKPOINT}', 'EMBEDDER', 'ts-bench', 'single_label', 'linear', 0, '{{}}', '[1]', 1, '', '', '1', 'r', "
        f"{AT})",
        "INSERT INTO promotions (promotion_id, checkpoint_id, promoted, reason, decided_by, decided_at) VALUES "
        f"(1, '{CHECKPOINT}', 1, 'the first', 'rule', {AT})",
        f"INSERT INTO serving VALUES (1, '{CHECKPOINT}', 1, {AT})",
        "INSERT INTO selection_batches (batch_id, strategy, embedder_id, seed, budget, selected, reason, left_out, "
        f"run_id, created_at) SELECT 1, 'auto', 'EMBEDDER', 0, 100, COUNT(*), '', '{{}}', 'r', {AT} FROM labels",
        "INSERT INTO selections (batch_id, rank, frame_id, arm, reason) SELECT 1, ROW_NUMBER() OVER (ORDER BY "
        "frame_id), frame_id, 'strategy', '' FROM (SELECT DISTINCT l.frame_id FROM labels l JOIN videos v ON "
        "v.video_no = l.frame_id / 16777216 AND v.split = 'train')",
        "UPDATE selection_batches SET budget = (SELECT COUNT(*) FROM selections), selected = (SELECT COUNT(*) "
        "FROM selections)",
    )
