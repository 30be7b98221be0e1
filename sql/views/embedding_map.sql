-- embedding_map: the archive in two dimensions, with what is known of each frame on it.
-- Grain: one row per frame on the newest map; frames of videos that left the archive since are left out.
-- Columns:
--   map_id         map
--   frame_id       frame
--   video_id       video of the frame
--   frame_index    number of the frame in the source from 0 at its native rate
--   pts_ms         time from the start of the video, milliseconds
--   x              first coordinate; near frames look alike, distances over the whole map mean little
--   y              second coordinate
--   class_id       class of the frame, merged classes resolved; null where nobody is on it, or nothing is known
--   class_name     its name
--   confidence     the model's probability of its likeliest class; null where people spoke or no model did
--   labelled       1 if people judged the frame, whatever they said
--   source         human or model: who says so; null where neither did
--   checkpoint_id  checkpoint behind the class; null where people said so
--   annotation_id  annotation behind it (see label_provenance); null where the model said so
-- Notes: one class a frame, so that it has one colour: of several that people named the one of the smallest number, of
--   the model's the likeliest, whether or not it reaches the threshold of that class. frame_labels has all of them.
-- Example: where on the map one class lies
--   SELECT x, y, source, confidence FROM embedding_map WHERE class_name = 'seven'
CREATE VIEW embedding_map AS
SELECT
    p.map_id,
    p.frame_id,
    f.video_id,
    f.frame_index,
    f.pts_ms,
    p.x,
    p.y,
    CASE WHEN human.frame_id IS NULL THEN r.shown_class_id ELSE human.class_id END AS class_id,
    CASE WHEN human.frame_id IS NULL THEN r.class_name ELSE named.name END AS class_name,
    CASE WHEN human.frame_id IS NULL THEN s.confidence END AS confidence,
    CASE WHEN human.frame_id IS NULL THEN 0 ELSE 1 END AS labelled,
    CASE WHEN human.frame_id IS NOT NULL THEN 'human' WHEN s.frame_id IS NOT NULL THEN 'model' END AS source,
    CASE WHEN human.frame_id IS NULL THEN s.checkpoint_id END AS checkpoint_id,
    human.annotation_id
FROM map_points p
JOIN frames f ON f.frame_id = p.frame_id
JOIN recordings v ON v.video_id = f.video_id
LEFT JOIN (
    SELECT
        h.frame_id,
        MIN(CASE WHEN h.present = 1 THEN h.class_id END) AS class_id,
        MAX(h.annotation_id) AS annotation_id
    FROM human_labels h
    GROUP BY h.frame_id
) human ON human.frame_id = p.frame_id
LEFT JOIN classes named ON named.class_id = human.class_id
LEFT JOIN frame_scores s
    -- Not a join with serving: that would let SQLite read the scores of every checkpoint.
    ON s.checkpoint_id = (SELECT checkpoint_id FROM serving) AND s.frame_id = p.frame_id
LEFT JOIN resolved_classes r ON r.class_id = s.top_class_id
WHERE p.map_id = (
    SELECT newest.map_id
    FROM (
        SELECT m.map_id, ROW_NUMBER() OVER (ORDER BY m.made_at DESC, m.map_id DESC) AS place FROM embedding_maps m
    ) newest
    WHERE newest.place = 1
)
