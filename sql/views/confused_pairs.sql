-- confused_pairs: which classes the serving model finds hard to tell apart.
-- Grain: one row per pair of classes that are the two likeliest on at least one frame of the archive.
-- Columns:
--   class_a_id        class of the pair with the smaller class_id, merged classes resolved
--   class_a           its name
--   class_b_id        class of the pair with the greater class_id
--   class_b           its name
--   frames            frames on which these two are the likeliest
--   a_ahead           on how many of them class_a is the likelier
--   uncertain_frames  on how many of them the margin is below 0.2
--   mean_margin       mean margin of those frames, in [0, 1]; small is confused
-- Notes: with single labels the margin is the distance of the two probabilities; with several labels a frame it is
--   that of the least decided class from a coin toss, whichever class that is.
-- Example: the ten pairs whose frames are most worth a second look
--   SELECT class_a, class_b, frames, mean_margin FROM confused_pairs WHERE frames >= 20 ORDER BY mean_margin
CREATE VIEW confused_pairs AS
WITH likeliest AS (
    SELECT likely.shown_class_id AS top_id, runner.shown_class_id AS runner_id, fs.margin
    FROM frame_scores fs
    JOIN frames f ON f.frame_id = fs.frame_id
    JOIN recordings v ON v.video_id = f.video_id
    JOIN resolved_classes likely ON likely.class_id = fs.top_class_id
    JOIN resolved_classes runner ON runner.class_id = fs.runner_up_class_id
    WHERE
        -- Not a join: that would let SQLite read the scores of every checkpoint.
        fs.checkpoint_id = (SELECT checkpoint_id FROM serving)
        AND likely.shown_class_id <> runner.shown_class_id
),
ordered AS (
    SELECT
        CASE WHEN top_id < runner_id THEN top_id ELSE runner_id END AS class_a_id,
        CASE WHEN top_id < runner_id THEN runner_id ELSE top_id END AS class_b_id,
        CASE WHEN top_id < runner_id THEN 1 ELSE 0 END AS a_ahead,
        margin
    FROM likeliest
),
pairs AS (
    SELECT
        class_a_id,
        class_b_id,
        COUNT(*) AS frames,
        SUM(a_ahead) AS a_ahead,
        SUM(CASE WHEN margin < 0.2 THEN 1 ELSE 0 END) AS uncertain_frames,
        AVG(margin) AS mean_margin
    FROM ordered
    GROUP BY class_a_id, class_b_id
)
SELECT
    pairs.class_a_id,
    a.name AS class_a,
    pairs.class_b_id,
    b.name AS class_b,
    pairs.frames,
    pairs.a_ahead,
    pairs.uncertain_frames,
    pairs.mean_margin
FROM pairs
JOIN classes a ON a.class_id = pairs.class_a_id
JOIN classes b ON b.class_id = pairs.class_b_id
