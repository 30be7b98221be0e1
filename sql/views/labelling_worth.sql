-- labelling_worth: whether labelling still pays: what labels bought, model by model, and the advice.
-- Grain: one row per checkpoint that served, with the state of the archive when it was measured.
-- Columns:
--   checkpoint_id      checkpoint
--   measured_at        when this was measured, UTC
--   labelled_frames    labelled training frames behind it
--   holdout_frames     labelled test frames that it was measured on
--   metric             metric on the hold-out
--   value              its value; null where it is not defined
--   low                lower end of the 95 % interval
--   high               upper end of the 95 % interval
--   random_frames      judged frames that were drawn at random, behind the next three columns
--   random_accuracy    share of frames that the model gets wholly right (all classes), as random draws show it
--   random_low         lower end of its 95 % interval
--   random_high        upper end of its 95 % interval
--   stability          agreement (Cohen's kappa) with the answers of the model that served before, on the same frames
--   uncertainty        mean of 1 - margin over those frames, a sample of videos, in [0, 1]
--   gain               gain of the metric per 100 labels over the latest checkpoints
--   gain_high          upper end of its 95 % interval
--   advice             too_early, go_on or may_stop
--   reason             why, in plain words
--   serving            1 if it serves now
-- Notes: advice only; nothing stops by itself. random_accuracy is that of training videos, repeated frames left out, each
--   draw weighed by the inverse of its chance over all batches since its video was there, by models that did not see the
--   frame's clip. A class that such a model has not met counts as missed; frames that people cannot tell or are divided on
--   are not in it. It is not the metric of the hold-out, and the two are not to be compared with each other.
-- Example: what the last labels bought
--   SELECT labelled_frames, value, random_accuracy, stability, advice, reason FROM labelling_worth ORDER BY measured_at
CREATE VIEW labelling_worth AS
SELECT
    w.checkpoint_id,
    w.measured_at,
    w.labelled_frames,
    w.holdout_frames,
    w.metric,
    w.value,
    w.low,
    w.high,
    w.random_frames,
    w.random_accuracy,
    w.random_low,
    w.random_high,
    w.stability,
    w.uncertainty,
    w.gain,
    w.gain_high,
    w.advice,
    w.reason,
    CASE WHEN s.checkpoint_id IS NULL THEN 0 ELSE 1 END AS serving
FROM labelling_progress w
LEFT JOIN serving s ON s.checkpoint_id = w.checkpoint_id
