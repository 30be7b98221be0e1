-- frame_times: when each sampled frame was taken.
-- Grain: one row per sampled frame of the recordings.
-- Columns:
--   frame_id     frame
--   video_id     video of the frame
--   frame_index  number of the frame in the source from 0 at its native rate
--   pts_ms       time from the start of the video, milliseconds
--   seen_at      recorded_at + pts_ms, UTC, to the millisecond; null if recorded_at is not known
-- Notes: on SQLite seen_at is text, YYYY-MM-DD HH:MM:SS.SSS. A folder of stills counts one second a still.
-- Example: the moments between which each video was sampled
--   SELECT video_id, MIN(seen_at) AS first_at, MAX(seen_at) AS last_at FROM frame_times GROUP BY video_id
CREATE VIEW frame_times AS
SELECT
    f.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    STRFTIME('%Y-%m-%d %H:%M:%f', v.recorded_at, (f.pts_ms / 1000.0) || ' seconds') AS seen_at
FROM frames f
JOIN recordings v ON v.video_id = f.video_id
