-- archive_overview: what became of every video.
-- Grain: one row per video, those that could not be read, were replaced, retired or are copies included.
-- Columns:
--   video_id         video
--   path             path under videos/ in storage
--   kind             video, or images for a folder of stills
--   site             site of the camera, null if not known
--   camera           camera, null if not known
--   recorded_at      when the recording began, UTC, null if not known
--   duration_ms      duration, milliseconds, null if not known
--   split            train, validation or test
--   status           registered, indexed, partial, failed, superseded, copy or retired
--   error            why it could not be read whole, in plain words
--   frames           sampled frames
--   duplicates       how many of them repeat an earlier one
--   scored_frames    how many of them the serving model has scored
--   labelled_frames  how many of them people have judged
--   unclear_frames   how many of them people could only answer "cannot tell" to
--   waiting_frames   how many of them are in a batch and have no annotation yet, or not the second one asked for
-- Example: videos that need a look
--   SELECT path, status, error FROM archive_overview WHERE status IN ('failed', 'partial')
CREATE VIEW archive_overview AS
-- Grouped by the number of the video, which is in frame_id: a group of numbers takes half the time of one of names.
WITH sampled AS (
    SELECT
        frame_id / 16777216 AS video_no,
        COUNT(*) AS frames,
        COUNT(duplicate_of) AS duplicates
    FROM frames
    GROUP BY frame_id / 16777216
),
scored AS (
    SELECT f.frame_id / 16777216 AS video_no, COUNT(*) AS frames
    FROM frame_scores fs
    JOIN frames f ON f.frame_id = fs.frame_id
    WHERE fs.checkpoint_id = (SELECT checkpoint_id FROM serving)
    GROUP BY f.frame_id / 16777216
),
labelled AS (
    SELECT f.frame_id / 16777216 AS video_no, COUNT(*) AS frames
    FROM (SELECT DISTINCT frame_id FROM human_labels) judged
    JOIN frames f ON f.frame_id = judged.frame_id
    GROUP BY f.frame_id / 16777216
),
unclear AS (
    SELECT f.frame_id / 16777216 AS video_no, COUNT(DISTINCT p.frame_id) AS frames
    FROM label_provenance p
    JOIN frames f ON f.frame_id = p.frame_id
    WHERE
        p.standing = 1
        AND p.outcome = 'cannot_tell'
        AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.frame_id = p.frame_id)
    GROUP BY f.frame_id / 16777216
),
waiting AS (
    SELECT f.frame_id / 16777216 AS video_no, COUNT(DISTINCT s.frame_id) AS frames
    FROM selections s
    JOIN selection_batches b ON b.batch_id = s.batch_id
    JOIN frames f ON f.frame_id = s.frame_id
    WHERE NOT EXISTS (
        SELECT 1
        FROM annotations a
        JOIN label_exports e ON e.export_id = a.export_id
        WHERE
            a.frame_id = s.frame_id
            AND e.status = 'imported'
            AND (s.arm <> 'second_opinion' OR (e.registered_at >= b.created_at AND a.outcome <> 'deleted'))
    )
    GROUP BY f.frame_id / 16777216
)
SELECT
    v.video_id,
    v.path,
    v.kind,
    v.site,
    v.camera,
    v.recorded_at,
    v.duration_ms,
    v.split,
    v.status,
    v.error,
    COALESCE(sampled.frames, 0) AS frames,
    COALESCE(sampled.duplicates, 0) AS duplicates,
    COALESCE(scored.frames, 0) AS scored_frames,
    COALESCE(labelled.frames, 0) AS labelled_frames,
    COALESCE(unclear.frames, 0) AS unclear_frames,
    COALESCE(waiting.frames, 0) AS waiting_frames
FROM videos v
LEFT JOIN sampled ON sampled.video_no = v.video_no
LEFT JOIN scored ON scored.video_no = v.video_no
LEFT JOIN labelled ON labelled.video_no = v.video_no
LEFT JOIN unclear ON unclear.video_no = v.video_no
LEFT JOIN waiting ON waiting.video_no = v.video_no
