-- recordings: the videos that make up the archive today, with the month they were recorded in.
-- Grain: one row per video; retired videos, those that a newer file replaced, and copies are left out.
-- Columns:
--   video_id     video; the Dagster partition key
--   video_no     number of the video; frame_id / 16777216
--   path         path under videos/ in storage
--   kind         video, or images for a folder of stills
--   site         site of the camera, null if not known
--   camera       camera, null if not known
--   recorded_at  when the recording began, UTC, null if not known
--   month        month in which the recording began, as YYYY-MM, null if not known
--   split        train, validation or test
-- Notes: every view that counts what the archive shows starts from here, so nothing is counted twice.
-- Example: recordings per month and site
--   SELECT month, site, COUNT(*) AS recordings FROM recordings GROUP BY month, site ORDER BY month, site
CREATE VIEW recordings AS
SELECT
    v.video_id,
    v.video_no,
    v.path,
    v.kind,
    v.site,
    v.camera,
    v.recorded_at,
    SUBSTR(v.recorded_at, 1, 7) AS month,
    v.split
FROM videos v
WHERE v.status IN ('registered', 'indexed', 'partial', 'failed')
