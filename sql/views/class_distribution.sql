-- class_distribution: how often each class is seen, and how often people labelled it.
-- Grain: one row per class; merged classes count in their target and have no row of their own.
-- Columns:
--   class_id            class
--   class_name          its name
--   active              1 while the class is in use
--   labelled_frames     frames on which people said it is present
--   labelled_train      how many of them belong to videos of the training split
--   labelled_validation how many belong to the validation split
--   labelled_test       how many belong to the test split
--   predicted_frames    frames on which only the serving model says so
--   frames              labelled_frames + predicted_frames
--   videos              videos in which it is seen
-- Notes: presence is as in frame_labels. A class that was never seen has a row of zeros.
-- Example: classes that still lack labels to be judged by
--   SELECT class_name, labelled_train, labelled_test FROM class_distribution WHERE labelled_test < 5
CREATE VIEW class_distribution AS
WITH seen AS (
    SELECT
        l.class_id,
        SUM(CASE WHEN l.source = 'human' THEN 1 ELSE 0 END) AS labelled_frames,
        SUM(CASE WHEN l.source = 'human' AND v.split = 'train' THEN 1 ELSE 0 END) AS labelled_train,
        SUM(CASE WHEN l.source = 'human' AND v.split = 'validation' THEN 1 ELSE 0 END) AS labelled_validation,
        SUM(CASE WHEN l.source = 'human' AND v.split = 'test' THEN 1 ELSE 0 END) AS labelled_test,
        SUM(CASE WHEN l.source = 'model' THEN 1 ELSE 0 END) AS predicted_frames,
        COUNT(*) AS frames,
        COUNT(DISTINCT l.video_id) AS videos
    FROM frame_labels l
    JOIN recordings v ON v.video_id = l.video_id
    GROUP BY l.class_id
)
SELECT
    c.class_id,
    c.name AS class_name,
    c.active,
    COALESCE(seen.labelled_frames, 0) AS labelled_frames,
    COALESCE(seen.labelled_train, 0) AS labelled_train,
    COALESCE(seen.labelled_validation, 0) AS labelled_validation,
    COALESCE(seen.labelled_test, 0) AS labelled_test,
    COALESCE(seen.predicted_frames, 0) AS predicted_frames,
    COALESCE(seen.frames, 0) AS frames,
    COALESCE(seen.videos, 0) AS videos
FROM classes c
LEFT JOIN seen ON seen.class_id = c.class_id
WHERE c.merged_into IS NULL
