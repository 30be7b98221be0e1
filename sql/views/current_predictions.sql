-- current_predictions: what the serving model sees in the archive.
-- Grain: one row per predicted instance of a class on a frame, by the serving checkpoint only.
-- Columns:
--   checkpoint_id  checkpoint that serves
--   frame_id       frame
--   video_id       video of the frame
--   frame_index    number of the frame in the source from 0 at its native rate
--   pts_ms         time from the start of the video, milliseconds
--   instance       number of the instance on the frame, from 0
--   class_id       predicted class, merged classes resolved
--   class_name     its name
--   confidence     calibrated probability
--   box_x          left edge of the box as a fraction of the frame; null where the model gives no boxes
--   box_y          upper edge of the box
--   box_width      width of the box
--   box_height     height of the box
-- Notes: after a merge a frame may hold two instances of one class; frame_labels counts it once.
-- Example: the frames on which the model is surest of one class
--   SELECT video_id, pts_ms, confidence FROM current_predictions
--   WHERE class_name = 'seven' ORDER BY confidence DESC
CREATE VIEW current_predictions AS
SELECT
    p.checkpoint_id,
    p.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    p.instance,
    r.shown_class_id AS class_id,
    r.class_name,
    p.confidence,
    p.box_x,
    p.box_y,
    p.box_width,
    p.box_height
FROM predictions p
JOIN frames f ON f.frame_id = p.frame_id
JOIN recordings v ON v.video_id = f.video_id
JOIN resolved_classes r ON r.class_id = p.class_id
-- Not a join: that would let SQLite read the predictions of every checkpoint.
WHERE p.checkpoint_id = (SELECT checkpoint_id FROM serving)
