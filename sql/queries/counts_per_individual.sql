-- Counts per individual: how often each class is seen in the archive, and how much of it people confirmed.
-- Reads class_distribution. Classes that were never seen stand at the end.
SELECT
    class_name AS individual,
    frames,
    videos,
    labelled_frames AS seen_by_people,
    predicted_frames AS seen_by_the_model
FROM class_distribution
ORDER BY frames DESC, individual
