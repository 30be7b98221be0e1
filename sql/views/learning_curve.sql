-- learning_curve: what labels bought: metrics of every model against the labels it was trained on.
-- Grain: one row per checkpoint and overall metric on the test split, promoted or not.
-- Columns:
--   checkpoint_id    checkpoint
--   trained_at       when it was trained, UTC
--   task             single_label or multi_label
--   embedder_id      embedder whose vectors it reads
--   labelled_frames  labelled frames in its training split
--   metric           name of the metric, for example macro_f1
--   value            value on the test split; null where it is not defined
--   low              lower end of the 95 % interval
--   high             upper end of the 95 % interval
--   support          test frames behind it
--   promoted         1 if it was ever promoted
--   serving          1 if it serves now
-- Notes: metrics per class are in the table evaluations.
-- Example: the curve of one metric
--   SELECT labelled_frames, value, low, high FROM learning_curve WHERE metric = 'macro_f1' ORDER BY trained_at
CREATE VIEW learning_curve AS
SELECT
    k.checkpoint_id,
    k.trained_at,
    k.task,
    k.embedder_id,
    k.labelled_frames,
    e.metric,
    e.value,
    e.low,
    e.high,
    e.support,
    COALESCE(decided.promoted, 0) AS promoted,
    CASE WHEN s.checkpoint_id IS NULL THEN 0 ELSE 1 END AS serving
FROM checkpoints k
JOIN evaluations e ON e.checkpoint_id = k.checkpoint_id AND e.split = 'test' AND e.class_id = 0
LEFT JOIN (
    SELECT checkpoint_id, MAX(promoted) AS promoted FROM promotions GROUP BY checkpoint_id
) decided ON decided.checkpoint_id = k.checkpoint_id
LEFT JOIN serving s ON s.checkpoint_id = k.checkpoint_id
