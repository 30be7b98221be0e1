-- label_errors: labels that models which did not see the frame's clip find implausible, to be looked at by a person.
-- Grain: one row per frame and class whose label looks wrong to the newest checkpoint's like.
-- Columns:
--   frame_id               frame
--   video_id               video of the frame
--   pts_ms                 time of the frame in its video, milliseconds
--   split                  train, validation or test
--   class_id               class of the label, merged classes resolved
--   class_name             its name
--   present                what the label says: 1 present, 0 judged absent
--   probability            probability that the class is present, by a model that did not see the clip
--   quality                probability of what the label says; the smaller, the less plausible
--   suggested_class_name   single_label: the class that it looks like; null in multi_label
--   suggested_probability  its probability
--   agreement              share of the annotators who agree with the label
--   annotators             annotators who judged this class on this frame
--   annotator              the latest of those who say so
--   annotated_at           when, UTC, if the export says
--   export_uri             file that brought it
--   batch_id               batch that asked for the frame; null for labels that nobody asked for
--   asked_again            1 if a batch has asked for a second opinion on the frame
--   checkpoint_id          checkpoint whose training labels and like it was measured with
-- Notes: confident learning, of which the labels with a quality up to 0.1 are kept. Candidates, not verdicts: where the
--   model is well calibrated, one label in ten of quality 0.1 is right, and of rare classes more. Nothing is changed by it:
--   correct a label in the labelling tool and export again. Labels of hold-out videos are listed too, but never sent out
--   again by themselves, since correcting only what the model doubts would flatter the model.
-- Example: the least plausible labels first
--   SELECT class_name, present, quality, video_id, pts_ms, annotator FROM label_errors ORDER BY quality
CREATE VIEW label_errors AS
WITH newest AS (
    SELECT MAX(k.trained_at) AS trained_at
    FROM checkpoints k
    WHERE k.checkpoint_id IN (SELECT checkpoint_id FROM second_opinions)
)
SELECT
    i.frame_id,
    f.video_id,
    f.pts_ms,
    i.split,
    r.shown_class_id AS class_id,
    c.name AS class_name,
    i.present,
    i.probability,
    i.quality,
    looks.name AS suggested_class_name,
    i.suggested_probability,
    l.agreement,
    l.annotators,
    p.annotator,
    p.annotated_at,
    p.export_uri,
    p.batch_id,
    CASE WHEN EXISTS (
        SELECT 1 FROM selections s WHERE s.frame_id = i.frame_id AND s.arm = 'second_opinion'
    ) THEN 1 ELSE 0 END AS asked_again,
    i.checkpoint_id
FROM implausible_labels i
JOIN checkpoints k ON k.checkpoint_id = i.checkpoint_id
JOIN newest ON newest.trained_at = k.trained_at
JOIN frames f ON f.frame_id = i.frame_id
JOIN resolved_classes r ON r.class_id = i.class_id
JOIN classes c ON c.class_id = r.shown_class_id
LEFT JOIN classes looks ON looks.class_id = i.suggested_class_id
LEFT JOIN labels l ON l.frame_id = i.frame_id AND l.class_id = r.shown_class_id
LEFT JOIN label_provenance p ON p.annotation_id = i.annotation_id
