-- Model quality over time: what each model scored on the hold-out, with the labels it had learned from.
-- Reads learning_curve; one metric, macro-F1, with its 95 per cent interval. Change the metric to accuracy,
-- mean_average_precision, log_loss or expected_calibration_error for another curve.
SELECT
    trained_at,
    checkpoint_id,
    labelled_frames,
    value AS macro_f1,
    low,
    high,
    promoted,
    serving
FROM learning_curve
WHERE metric = 'macro_f1'
ORDER BY trained_at, checkpoint_id
