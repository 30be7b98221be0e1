-- co_occurrence: who is seen with whom.
-- Grain: one row per video and pair of classes that were in one frame, or within 10 seconds of each other.
-- Columns:
--   video_id         video
--   site             site of the camera, null if not known
--   camera           camera, null if not known
--   month            month in which the recording began, as YYYY-MM, null if not known
--   class_a_id       class of the pair with the smaller class_id, merged classes resolved
--   class_a          its name
--   class_b_id       class of the pair with the greater class_id
--   class_b          its name
--   encounters       pairs of sightings, one of each class, that overlap or lie at most 10 seconds apart
--   frames_together  sampled frames that show both
--   closest_ms       shortest time between the two, milliseconds; 0 where their sightings overlap
-- Notes: a pair stands once, so ask for a class by `'seven' IN (class_a, class_b)`. Sightings are those of the view
--   of that name. A folder of stills counts one second a still.
-- Example: who was seen with one individual, month by month
--   SELECT month, class_a, class_b, SUM(encounters) AS encounters FROM co_occurrence
--   WHERE 'seven' IN (class_a, class_b) GROUP BY month, class_a, class_b ORDER BY month, encounters DESC
CREATE VIEW co_occurrence AS
WITH present AS (
    SELECT video_id, frame_id, class_id FROM frame_labels
),
met AS (
    SELECT
        a.video_id,
        a.class_id AS class_a_id,
        a.class_name AS class_a,
        b.class_id AS class_b_id,
        b.class_name AS class_b,
        CASE
            WHEN a.start_ms > b.end_ms THEN a.start_ms - b.end_ms
            WHEN b.start_ms > a.end_ms THEN b.start_ms - a.end_ms
            ELSE 0
        END AS apart_ms
    FROM sighting_runs a
    JOIN sighting_runs b ON b.video_id = a.video_id AND b.class_id > a.class_id
    WHERE a.start_ms <= b.end_ms + 10000 AND b.start_ms <= a.end_ms + 10000
),
pairs AS (
    SELECT video_id, class_a_id, class_a, class_b_id, class_b, COUNT(*) AS encounters, MIN(apart_ms) AS closest_ms
    FROM met
    GROUP BY video_id, class_a_id, class_a, class_b_id, class_b
),
together AS (
    SELECT a.video_id, a.class_id AS class_a_id, b.class_id AS class_b_id, COUNT(*) AS frames
    FROM present a
    JOIN present b ON b.frame_id = a.frame_id AND b.class_id > a.class_id
    GROUP BY a.video_id, a.class_id, b.class_id
)
SELECT
    pairs.video_id,
    v.site,
    v.camera,
    v.month,
    pairs.class_a_id,
    pairs.class_a,
    pairs.class_b_id,
    pairs.class_b,
    pairs.encounters,
    COALESCE(together.frames, 0) AS frames_together,
    pairs.closest_ms
FROM pairs
JOIN recordings v ON v.video_id = pairs.video_id
LEFT JOIN together
    ON together.video_id = pairs.video_id
    AND together.class_a_id = pairs.class_a_id
    AND together.class_b_id = pairs.class_b_id
