-- sighting_runs: the intervals behind sightings, in the time of their video.
-- Grain: one row per video, class and run of consecutive sampled frames on which the class is present.
-- Columns:
--   video_id         video
--   class_id         class, merged classes resolved
--   class_name       its name
--   sighting         number of the sighting within the video and class, from 1
--   first_frame_id   first frame of the run
--   last_frame_id    last frame of the run
--   start_ms         time of the first frame from the start of the video, milliseconds
--   end_ms           time of the last frame; equal to start_ms for a run of one frame
--   frames           frames on which the class is present
--   human_frames     how many of them people labelled
--   mean_confidence  mean probability of the frames that only the model labelled; null if there are none
-- Notes: ask sightings, which adds site and clock time. This part stands alone because a join of intervals with
--   themselves (see co_occurrence) is quadratic where the planner of SQLite thinks that they are few, and it does so
--   after every join with a key.
-- Example: the longest runs
--   SELECT video_id, class_name, end_ms - start_ms AS lasted_ms FROM sighting_runs ORDER BY lasted_ms DESC
CREATE VIEW sighting_runs AS
WITH sampled AS (
    SELECT frame_id, pts_ms, ROW_NUMBER() OVER (PARTITION BY video_id ORDER BY frame_id) AS nth
    FROM frames
),
seen AS (
    SELECT
        l.video_id,
        l.class_id,
        l.class_name,
        l.frame_id,
        l.source,
        l.confidence,
        f.pts_ms,
        f.nth,
        f.nth - LAG(f.nth) OVER (PARTITION BY l.video_id, l.class_id ORDER BY f.nth) AS step
    FROM frame_labels l
    JOIN sampled f ON f.frame_id = l.frame_id
),
numbered AS (
    SELECT
        seen.*,
        SUM(CASE WHEN step <= 2 THEN 0 ELSE 1 END) OVER (
            PARTITION BY video_id, class_id ORDER BY nth ROWS UNBOUNDED PRECEDING
        ) AS sighting
    FROM seen
)
SELECT
    video_id,
    class_id,
    class_name,
    sighting,
    MIN(frame_id) AS first_frame_id,
    MAX(frame_id) AS last_frame_id,
    MIN(pts_ms) AS start_ms,
    MAX(pts_ms) AS end_ms,
    COUNT(*) AS frames,
    SUM(CASE WHEN source = 'human' THEN 1 ELSE 0 END) AS human_frames,
    AVG(confidence) AS mean_confidence
FROM numbered
GROUP BY video_id, class_id, class_name, sighting
