-- Presence by site and month: how many sightings of each individual, and for how many minutes.
-- Reads sightings. A sighting of one single frame lasts no time, so that minutes are a lower bound.
SELECT
    class_name AS individual,
    site,
    month,
    COUNT(*) AS sightings,
    SUM(end_ms - start_ms) / 60000.0 AS minutes,
    COUNT(DISTINCT video_id) AS videos
FROM sightings
GROUP BY class_name, site, month
ORDER BY individual, site, month
