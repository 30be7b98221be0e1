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
-- Notes: ask sightings, which adds site and clock time.
-- Example: the longest runs
--   SELECT video_id, class_name, end_ms - start_ms AS lasted_ms FROM sighting_runs ORDER BY lasted_ms DESC
CREATE VIEW sighting_runs AS
WITH runs AS (
    SELECT
        video_no,
        class_id,
        sighting,
        MIN(frame_id) AS first_frame_id,
        MAX(frame_id) AS last_frame_id,
        COUNT(*) AS frames,
        SUM(human) AS human_frames,
        AVG(confidence) AS mean_confidence
    FROM sighting_frames
    GROUP BY video_no, class_id, sighting
)
SELECT
    v.video_id,
    runs.class_id,
    c.name AS class_name,
    runs.sighting,
    runs.first_frame_id,
    runs.last_frame_id,
    head.pts_ms AS start_ms,
    tail.pts_ms AS end_ms,
    runs.frames,
    runs.human_frames,
    runs.mean_confidence
FROM runs
JOIN recordings v ON v.video_no = runs.video_no
JOIN classes c ON c.class_id = runs.class_id
JOIN frames head ON head.frame_id = runs.first_frame_id
JOIN frames tail ON tail.frame_id = runs.last_frame_id
