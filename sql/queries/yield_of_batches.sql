-- Yield of batches: what people made of the frames that each arm of each batch asked them to look at.
-- Reads label_provenance. Compare the strategy arm with the random arm: if both find as many individuals, the
-- strategy is not worth its name; if many frames end in "cannot tell", it asks for frames nobody can judge.
SELECT
    batch_id,
    strategy,
    arm,
    COUNT(*) AS answers,
    SUM(CASE WHEN outcome = 'labelled' THEN 1 ELSE 0 END) AS labelled,
    SUM(CASE WHEN outcome = 'nobody' THEN 1 ELSE 0 END) AS nobody,
    SUM(CASE WHEN outcome = 'cannot_tell' THEN 1 ELSE 0 END) AS cannot_tell,
    COUNT(DISTINCT video_id) AS videos
FROM label_provenance
WHERE standing = 1 AND batch_id IS NOT NULL
GROUP BY batch_id, strategy, arm
ORDER BY batch_id, arm
