-- PostgreSQL spelling of ../recordings.sql, which holds the promise: the month of a timestamp is a dialect's own.
CREATE VIEW recordings AS
SELECT
    v.video_id,
    v.video_no,
    v.path,
    v.kind,
    v.site,
    v.camera,
    v.recorded_at,
    TO_CHAR(v.recorded_at, 'YYYY-MM') AS month,
    v.split
FROM videos v
WHERE v.status IN ('registered', 'indexed', 'partial', 'failed')
