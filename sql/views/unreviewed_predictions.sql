-- unreviewed_predictions: what the serving model says where no person has spoken.
-- Grain: one row per frame and class that the serving model sees and nobody judged.
-- Columns:
--   frame_id       frame
--   class_id       class that the model sees, merged classes resolved
--   confidence     the model's probability; the highest one where it sees several of the class
--   checkpoint_id  checkpoint that serves
-- Notes: a person who judged a class, present or absent, silences the model on that class; with single labels a
--   person's class silences it on the whole frame. Videos that were replaced or retired are in here too: frame_labels
--   leaves them out, and adds what people said.
-- Example: how much the archive still rests on the model alone
--   SELECT c.name, COUNT(*) AS frames, AVG(u.confidence) AS confidence
--   FROM unreviewed_predictions u JOIN classes c ON c.class_id = u.class_id GROUP BY c.name
CREATE VIEW unreviewed_predictions AS
SELECT
    seen.frame_id,
    seen.class_id,
    seen.confidence,
    (SELECT checkpoint_id FROM serving) AS checkpoint_id
FROM (
    -- Grouped by numbers alone: with names in the key it takes twice as long.
    SELECT p.frame_id, r.shown_class_id AS class_id, MAX(p.confidence) AS confidence
    FROM predictions p
    JOIN resolved_classes r ON r.class_id = p.class_id
    -- Not a join: that would let SQLite read the predictions of every checkpoint, and PostgreSQL guess at their number.
    WHERE p.checkpoint_id = (SELECT checkpoint_id FROM serving)
    GROUP BY p.frame_id, r.shown_class_id
) seen
WHERE
    -- Two conditions, since one with an OR between its equalities leaves PostgreSQL no hash to probe.
    NOT EXISTS (
        SELECT 1 FROM human_labels h WHERE h.frame_id = seen.frame_id AND h.class_id = seen.class_id
    )
    AND (
        (SELECT k.task FROM checkpoints k WHERE k.checkpoint_id = (SELECT checkpoint_id FROM serving)) <> 'single_label'
        OR NOT EXISTS (SELECT 1 FROM human_labels h WHERE h.frame_id = seen.frame_id AND h.present = 1)
    )
