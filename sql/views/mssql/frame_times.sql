-- SQL Server spelling of ../frame_times.sql, which holds the promise: adding to a timestamp is a dialect's own.
-- DATEADD takes a 32-bit number, so that seconds and milliseconds are added apart.
CREATE VIEW frame_times AS
SELECT
    f.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    DATEADD(
        MILLISECOND,
        CAST(f.pts_ms % 1000 AS INT),
        DATEADD(SECOND, CAST(f.pts_ms / 1000 AS INT), v.recorded_at)
    ) AS seen_at
FROM frames f
JOIN recordings v ON v.video_id = f.video_id
