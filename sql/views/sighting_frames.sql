-- sighting_frames: which sighting each frame belongs to.
-- Grain: one row per frame and class that is present.
-- Columns:
--   frame_id    frame
--   video_no    number of the video, see recordings
--   class_id    class, merged classes resolved
--   sighting    number of the sighting within the video and class, from 1
--   human       1 where people said so, 0 where only the model does
--   confidence  the model's probability; null where people said so
-- Notes: the one place that says where a sighting ends: at a frame with two sampled frames before it that lack the
--   class. Presence is as in frame_labels, but videos that were replaced or retired are in here too; sightings and
--   co_occurrence, which read this, leave them out.
-- Example: the frames of one sighting
--   SELECT frame_id, human, confidence FROM sighting_frames WHERE video_no = 1 AND class_id = 1 AND sighting = 1
CREATE VIEW sighting_frames AS
WITH placed AS (
    -- frame_id = video_no * 2**24 + frame_index
    -- Joined in each part: SQLite would store the union before a join of it.
    SELECT h.class_id, n.frame_id / 16777216 AS video_no, n.frame_id, n.two_before_id, CAST(NULL AS REAL) AS confidence
    FROM (SELECT DISTINCT frame_id, class_id FROM human_labels WHERE present = 1) h
    JOIN frame_neighbours n ON n.frame_id = h.frame_id
    UNION ALL
    SELECT u.class_id, n.frame_id / 16777216 AS video_no, n.frame_id, n.two_before_id, u.confidence
    FROM unreviewed_predictions u
    JOIN frame_neighbours n ON n.frame_id = u.frame_id
),
stepped AS (
    SELECT
        class_id,
        video_no,
        frame_id,
        confidence,
        CASE
            WHEN
                LAG(frame_id) OVER (PARTITION BY class_id, video_no ORDER BY frame_id) >= COALESCE(two_before_id, 0)
                THEN 0
            ELSE 1
        END AS begins
    FROM placed
)
SELECT
    frame_id,
    video_no,
    class_id,
    SUM(begins) OVER (PARTITION BY class_id, video_no ORDER BY frame_id ROWS UNBOUNDED PRECEDING) AS sighting,
    CASE WHEN confidence IS NULL THEN 1 ELSE 0 END AS human,
    confidence
FROM stepped
