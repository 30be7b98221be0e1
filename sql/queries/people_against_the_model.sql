-- People against the model: classes that the serving model is sure of where people said that they are absent.
-- Reads current_predictions and human_labels. Either the model errs with confidence or the label is wrong: both
-- are worth a second look, the surest first.
SELECT
    p.video_id,
    p.frame_index,
    p.pts_ms,
    p.class_name,
    p.confidence,
    h.annotators,
    h.annotation_id
FROM current_predictions p
JOIN human_labels h ON h.frame_id = p.frame_id AND h.class_id = p.class_id
WHERE h.present = 0
ORDER BY p.confidence DESC, p.frame_id, p.class_name
