-- PostgreSQL spelling of ../frame_times.sql, which holds the promise: adding to a timestamp is a dialect's own.
CREATE VIEW frame_times AS
SELECT
    f.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    v.recorded_at + f.pts_ms * INTERVAL '1 millisecond' AS seen_at
FROM frames f
JOIN recordings v ON v.video_id = f.video_id
