-- drift_by_site: whether the videos of a site look less and less like what the serving model learned from.
-- Grain: one row per site and month of recording, over the videos compared with the serving model's training data.
-- Columns:
--   site                site, null where it is not known
--   month               month in which the recordings began, as YYYY-MM, null where it is not known
--   videos              videos compared
--   adrift              how many of them drift
--   share               adrift / videos
--   brightness          mean log brightness
--   sharpness           mean log sharpness
--   embedding_distance  mean log distance to the nearest video that the model learned from
--   confidence          mean log odds of the model's confidence; null before it has scored them
--   margin              mean log odds of its margin; null before it has scored them
--   class_mix           mean distance of the predicted class mix, in [0, 1]; null before it has scored them
-- Notes: videos that the model learned from are not compared. What a single video was judged by is in drift_results.
-- Example: the trend of each site
--   SELECT site, month, videos, adrift, share, embedding_distance FROM drift_by_site ORDER BY site, month
CREATE VIEW drift_by_site AS
SELECT
    compared.site,
    compared.month,
    COUNT(*) AS videos,
    SUM(compared.adrift) AS adrift,
    SUM(compared.adrift) * 1.0 / COUNT(*) AS share,
    AVG(compared.brightness) AS brightness,
    AVG(compared.sharpness) AS sharpness,
    AVG(compared.embedding_distance) AS embedding_distance,
    AVG(compared.confidence) AS confidence,
    AVG(compared.margin) AS margin,
    AVG(compared.class_mix) AS class_mix
FROM (
    SELECT
        v.site,
        v.month,
        MAX(d.drifted) AS adrift,
        MAX(CASE WHEN d.statistic = 'brightness' THEN d.value END) AS brightness,
        MAX(CASE WHEN d.statistic = 'sharpness' THEN d.value END) AS sharpness,
        MAX(CASE WHEN d.statistic = 'embedding_distance' THEN d.value END) AS embedding_distance,
        MAX(CASE WHEN d.statistic = 'confidence' THEN d.value END) AS confidence,
        MAX(CASE WHEN d.statistic = 'margin' THEN d.value END) AS margin,
        MAX(CASE WHEN d.statistic = 'class_mix' THEN d.value END) AS class_mix
    FROM drift_results d
    JOIN serving s ON s.checkpoint_id = d.reference_id
    JOIN recordings v ON v.video_id = d.subject
    WHERE d.check_name = 'new_videos_resemble_the_training_data'
    GROUP BY v.video_id, v.site, v.month
) compared
GROUP BY compared.site, compared.month
