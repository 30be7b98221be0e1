-- active_against_random: whether active learning beats random draws here: models of as many labels of each arm.
-- Grain: one row per checkpoint that served, with the labels that stood when it was measured.
-- Columns:
--   checkpoint_id      checkpoint
--   measured_at        when this was measured, UTC
--   labels_each        labelled frames that each of the two models learned from
--   batches            batches they came from, as many of each arm from each batch
--   holdout_frames     judged hold-out frames, drawn at random, that both were tried on
--   random_accuracy    share of hold-out frames that a model of the random labels gets wholly right
--   strategy_accuracy  the same of the strategy's labels, mean over several draws of as many
--   difference         strategy_accuracy - random_accuracy, above 0 where choosing pays
--   low                lower end of its 95 % interval
--   high               upper end of its 95 % interval
--   verdict            too_early, better, worse or level
--   serving            1 if the checkpoint serves now
-- Notes: hold-out frames are weighed by the inverse of their chance to be drawn; intervals count the luck of the labels
--   and of the videos tried on. The random arm is a small share of each batch, so both models are of fewer labels than
--   the one that serves.
-- Example: the answer so far
--   SELECT labels_each, difference, low, high, verdict FROM active_against_random ORDER BY measured_at
CREATE VIEW active_against_random AS
SELECT
    a.checkpoint_id,
    a.measured_at,
    a.labels_each,
    a.batches,
    a.holdout_frames,
    a.random_accuracy,
    a.strategy_accuracy,
    a.difference,
    a.low,
    a.high,
    a.verdict,
    CASE WHEN s.checkpoint_id IS NULL THEN 0 ELSE 1 END AS serving
FROM arm_comparisons a
LEFT JOIN serving s ON s.checkpoint_id = a.checkpoint_id
