-- Who is seen with whom, month by month: pairs in one frame or within ten seconds of each other.
-- Reads co_occurrence. A month of null holds the recordings whose time is not known.
SELECT
    month,
    class_a,
    class_b,
    SUM(encounters) AS encounters,
    SUM(frames_together) AS frames_together,
    COUNT(*) AS videos
FROM co_occurrence
GROUP BY month, class_a, class_b
ORDER BY month, encounters DESC, class_a, class_b
