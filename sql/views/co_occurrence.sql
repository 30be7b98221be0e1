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
WITH seen AS (
    SELECT video_no, class_id, sighting, frame_id FROM sighting_frames
),
runs AS (
    SELECT video_no, class_id, MIN(frame_id) AS first_frame_id, MAX(frame_id) AS last_frame_id
    FROM seen
    GROUP BY video_no, class_id, sighting
),
-- Of two sightings that meet, the later one begins between the beginning of the earlier one and 10 seconds after its
-- end. To compare all sightings of a video would be quadratic, and a folder of stills is one long video. So time is cut
-- into slots of a minute, an hour, a day and for ever: an earlier sighting lies in one or two slots of the least size
-- that holds it, a later one begins in one slot of each size, and only those in one slot are compared.
timed AS (
    SELECT
        runs.video_no,
        runs.class_id,
        head.pts_ms AS start_ms,
        tail.pts_ms + 10000 AS until_ms,
        CASE
            WHEN tail.pts_ms + 10000 - head.pts_ms <= 60000 THEN 60000
            WHEN tail.pts_ms + 10000 - head.pts_ms <= 3600000 THEN 3600000
            WHEN tail.pts_ms + 10000 - head.pts_ms <= 86400000 THEN 86400000
            ELSE CAST(9000000000000000 AS BIGINT)
        END AS slot_ms
    FROM runs
    JOIN frames head ON head.frame_id = runs.first_frame_id
    JOIN frames tail ON tail.frame_id = runs.last_frame_id
),
earlier AS (
    SELECT video_no, class_id, start_ms, until_ms, slot_ms, start_ms / slot_ms AS slot FROM timed
    UNION ALL
    SELECT video_no, class_id, start_ms, until_ms, slot_ms, until_ms / slot_ms AS slot
    FROM timed
    WHERE until_ms / slot_ms > start_ms / slot_ms
),
later AS (
    SELECT video_no, class_id, start_ms, 60000 AS slot_ms, start_ms / 60000 AS slot FROM timed
    UNION ALL
    SELECT video_no, class_id, start_ms, 3600000 AS slot_ms, start_ms / 3600000 AS slot FROM timed
    UNION ALL
    SELECT video_no, class_id, start_ms, 86400000 AS slot_ms, start_ms / 86400000 AS slot FROM timed
    UNION ALL
    SELECT video_no, class_id, start_ms, CAST(9000000000000000 AS BIGINT) AS slot_ms, 0 AS slot FROM timed
),
met AS (
    SELECT
        a.video_no,
        CASE WHEN a.class_id < b.class_id THEN a.class_id ELSE b.class_id END AS class_a_id,
        CASE WHEN a.class_id < b.class_id THEN b.class_id ELSE a.class_id END AS class_b_id,
        CASE WHEN b.start_ms > a.until_ms - 10000 THEN b.start_ms - (a.until_ms - 10000) ELSE 0 END AS apart_ms
    FROM earlier a
    JOIN later b ON b.video_no = a.video_no AND b.slot_ms = a.slot_ms AND b.slot = a.slot
    WHERE
        b.class_id <> a.class_id
        AND b.start_ms <= a.until_ms
        AND (b.start_ms > a.start_ms OR (b.start_ms = a.start_ms AND b.class_id > a.class_id))
),
pairs AS (
    SELECT video_no, class_a_id, class_b_id, COUNT(*) AS encounters, MIN(apart_ms) AS closest_ms
    FROM met
    GROUP BY video_no, class_a_id, class_b_id
),
together AS (
    SELECT a.video_no, a.class_id AS class_a_id, b.class_id AS class_b_id, COUNT(*) AS frames
    FROM seen a
    JOIN seen b ON b.frame_id = a.frame_id AND b.class_id > a.class_id
    GROUP BY a.video_no, a.class_id, b.class_id
)
SELECT
    v.video_id,
    v.site,
    v.camera,
    v.month,
    pairs.class_a_id,
    a.name AS class_a,
    pairs.class_b_id,
    b.name AS class_b,
    pairs.encounters,
    COALESCE(together.frames, 0) AS frames_together,
    pairs.closest_ms
FROM pairs
JOIN recordings v ON v.video_no = pairs.video_no
JOIN classes a ON a.class_id = pairs.class_a_id
JOIN classes b ON b.class_id = pairs.class_b_id
LEFT JOIN together
    ON together.video_no = pairs.video_no
    AND together.class_a_id = pairs.class_a_id
    AND together.class_b_id = pairs.class_b_id
