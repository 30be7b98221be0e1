-- frame_labels: who is on which frame, as far as is known: people's word where they gave it, else the model's.
-- Grain: one row per frame and class that is present.
-- Columns:
--   frame_id       frame
--   video_id       video of the frame
--   frame_index    number of the frame in the source from 0 at its native rate
--   pts_ms         time from the start of the video, milliseconds
--   class_id       class that is present, merged classes resolved
--   class_name     its name
--   source         human or model
--   confidence     the model's probability; null where people said so
--   agreement      share of annotators who agree; null where the model said so
--   annotators     annotators who judged this class on this frame; null where the model said so
--   annotation_id  latest annotation behind the label (see label_provenance); null where the model said so
--   checkpoint_id  checkpoint behind the label; null where people said so
-- Notes: a person who judged a class absent silences the model on that class; with single labels a person's class
--   silences it on the whole frame. "Cannot tell" is no judgement, so there the model's word stands.
--   What people judged absent is in human_labels.
-- Example: frames per class and source
--   SELECT class_name, source, COUNT(*) AS frames FROM frame_labels GROUP BY class_name, source
CREATE VIEW frame_labels AS
SELECT
    f.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    human.class_id,
    human.class_name,
    'human' AS source,
    CAST(NULL AS REAL) AS confidence,
    human.agreement,
    human.annotators,
    human.annotation_id,
    CAST(NULL AS VARCHAR(64)) AS checkpoint_id
FROM (
    SELECT
        h.frame_id,
        h.class_id,
        h.class_name,
        h.agreement,
        h.annotators,
        h.annotation_id,
        -- Of two classes that were merged into one, the one that more people judged speaks.
        ROW_NUMBER() OVER (PARTITION BY h.frame_id, h.class_id ORDER BY h.annotators DESC, h.judged_id) AS preference
    FROM human_labels h
    WHERE h.present = 1
) human
JOIN frames f ON f.frame_id = human.frame_id
JOIN recordings v ON v.video_id = f.video_id
WHERE human.preference = 1
UNION ALL
SELECT
    f.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    model.class_id,
    c.name AS class_name,
    'model' AS source,
    model.confidence,
    CAST(NULL AS DOUBLE PRECISION) AS agreement,
    CAST(NULL AS INTEGER) AS annotators,
    CAST(NULL AS BIGINT) AS annotation_id,
    model.checkpoint_id
FROM unreviewed_predictions model
JOIN classes c ON c.class_id = model.class_id
JOIN frames f ON f.frame_id = model.frame_id
JOIN recordings v ON v.video_id = f.video_id
