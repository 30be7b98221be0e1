-- label_provenance: where a label came from: who said it, and which batch, strategy, model and run asked for it.
-- Grain: one row per annotation of an imported export; annotations of exports that were undone are left out.
-- Columns:
--   annotation_id      annotation
--   standing           1 if it counts; 0 if a later one replaced it or it was deleted in the labelling tool
--   outcome            labelled, nobody, cannot_tell or deleted
--   class_names        classes marked, separated by |; null where none is
--   annotator          who judged
--   annotated_at       when, UTC, if the export says
--   frame_id           frame judged
--   video_id           video of the frame
--   frame_index        number of the frame in the source from 0 at its native rate
--   export_id          export that brought it
--   export_uri         file of the export under label_exports/ in storage
--   imported_at        when the export was imported, UTC
--   import_run_id      Dagster run that imported it
--   batch_id           batch that asked for the frame; null for labels that nobody asked for
--   strategy           strategy of the batch
--   arm                strategy, random, evaluation or second_opinion
--   rank               place in the batch, from 1
--   score              score that the strategy gave the frame
--   propensity         probability of the draw, where it was random
--   selection_reason   why this frame
--   selection_run_id   Dagster run that made the batch
--   checkpoint_id      checkpoint whose scores the batch used; null at a cold start
--   embedder_id        embedder whose vectors the batch used
--   checkpoint_run_id  Dagster run that trained that checkpoint
-- Notes: the batch is the latest one that held the frame when the export was imported.
-- Example: what each arm of each batch brought
--   SELECT batch_id, arm, outcome, COUNT(*) AS annotations FROM label_provenance
--   WHERE standing = 1 GROUP BY batch_id, arm, outcome ORDER BY batch_id, arm
CREATE VIEW label_provenance AS
WITH judged AS (
    SELECT
        a.annotation_id,
        a.frame_id,
        a.outcome,
        a.annotator,
        a.annotated_at,
        e.export_id,
        e.uri AS export_uri,
        e.imported_at,
        e.claimed_by AS import_run_id,
        -- The later judgement of a frame replaces the earlier of the same source id or, where there is none, of the
        -- same annotator; one without a time is the earliest. Of one export's judgements that were given the same frame,
        -- the one of the nearest moment stands.
        ROW_NUMBER() OVER (
            PARTITION BY
                a.frame_id,
                CASE WHEN a.source_id IS NULL THEN 0 ELSE 1 END,
                COALESCE(a.source_id, a.annotator)
            ORDER BY
                CASE WHEN a.annotated_at IS NULL THEN 1 ELSE 0 END,
                a.annotated_at DESC,
                a.export_id DESC,
                ABS(COALESCE(a.offset_ms, 0)),
                a.annotation_id DESC
        ) AS recency
    FROM annotations a
    JOIN label_exports e ON e.export_id = a.export_id
    WHERE e.status = 'imported'
)
SELECT
    j.annotation_id,
    CASE WHEN j.recency = 1 AND j.outcome <> 'deleted' THEN 1 ELSE 0 END AS standing,
    j.outcome,
    named.class_names,
    j.annotator,
    j.annotated_at,
    j.frame_id,
    f.video_id,
    f.frame_index,
    j.export_id,
    j.export_uri,
    j.imported_at,
    j.import_run_id,
    asked.batch_id,
    asked.strategy,
    asked.arm,
    asked.rank,
    asked.score,
    asked.propensity,
    asked.reason AS selection_reason,
    asked.run_id AS selection_run_id,
    asked.checkpoint_id,
    asked.embedder_id,
    k.run_id AS checkpoint_run_id
FROM judged j
LEFT JOIN annotation_classes named ON named.annotation_id = j.annotation_id
LEFT JOIN frames f ON f.frame_id = j.frame_id
-- By look-ups of the frame: a numbering of all batches of all frames was made anew for every annotation by PostgreSQL.
LEFT JOIN (
    SELECT
        s.frame_id,
        s.batch_id,
        s.arm,
        s.rank,
        s.score,
        s.propensity,
        s.reason,
        b.strategy,
        b.run_id,
        b.checkpoint_id,
        b.embedder_id,
        b.created_at
    FROM selections s
    JOIN selection_batches b ON b.batch_id = s.batch_id
) asked
    ON asked.frame_id = j.frame_id
    AND asked.created_at <= j.imported_at
    AND NOT EXISTS (
        SELECT 1
        FROM selections s
        JOIN selection_batches b ON b.batch_id = s.batch_id
        WHERE
            s.frame_id = j.frame_id
            AND b.created_at <= j.imported_at
            AND (
                b.created_at > asked.created_at
                OR (b.created_at = asked.created_at AND b.batch_id > asked.batch_id)
            )
    )
LEFT JOIN checkpoints k ON k.checkpoint_id = asked.checkpoint_id
