-- sightings: when each class was in the picture, as intervals.
-- Grain: one row per video, class and run of consecutive sampled frames on which the class is present.
-- Columns:
--   video_id         video
--   site             site of the camera, null if not known
--   camera           camera, null if not known
--   month            month in which the recording began, as YYYY-MM, null if not known
--   class_id         class, merged classes resolved
--   class_name       its name
--   sighting         number of the sighting within the video and class, from 1
--   first_frame_id   first frame of the run
--   last_frame_id    last frame of the run
--   start_ms         time of the first frame from the start of the video, milliseconds
--   end_ms           time of the last frame; equal to start_ms for a run of one frame
--   started_at       when it began, UTC; null if recorded_at is not known
--   ended_at         when it ended, UTC; null if recorded_at is not known
--   frames           frames on which the class is present
--   human_frames     how many of them people labelled
--   mean_confidence  mean probability of the frames that only the model labelled; null if there are none
-- Notes: one sampled frame without the class does not end a sighting (a model that misses a single frame is
--   common, an animal that is away for one is not); two in a row do. Presence is as in frame_labels.
-- Example: how long and how often each individual was in the picture, by site
--   SELECT class_name, site, COUNT(*) AS sightings, SUM(end_ms - start_ms) / 1000.0 AS seconds
--   FROM sightings GROUP BY class_name, site
CREATE VIEW sightings AS
SELECT
    runs.video_id,
    v.site,
    v.camera,
    v.month,
    runs.class_id,
    runs.class_name,
    runs.sighting,
    runs.first_frame_id,
    runs.last_frame_id,
    runs.start_ms,
    runs.end_ms,
    head.seen_at AS started_at,
    tail.seen_at AS ended_at,
    runs.frames,
    runs.human_frames,
    runs.mean_confidence
FROM sighting_runs runs
JOIN recordings v ON v.video_id = runs.video_id
JOIN frame_times head ON head.frame_id = runs.first_frame_id
JOIN frame_times tail ON tail.frame_id = runs.last_frame_id
