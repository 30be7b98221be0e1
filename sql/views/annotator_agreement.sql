-- annotator_agreement: how far people agree with each other.
-- Grain: one row per pair of annotators and class that both judged on at least one frame.
-- Columns:
--   annotator_a   annotator of the pair whose name sorts first
--   annotator_b   the other annotator
--   class_id      class, merged classes resolved
--   class_name    its name
--   frames        frames on which both judged this class
--   both_present  frames on which both said it is present
--   only_a        frames on which only annotator_a said so
--   only_b        frames on which only annotator_b said so
--   neither       frames on which both said it is absent
--   agreement     share of frames on which they agree, in [0, 1]
--   kappa         Cohen's kappa, agreement beyond chance; null where chance alone would agree always
-- Notes: an annotator has one voice a frame, the latest; "cannot tell" is no judgement. Whoever judged all classes
--   said of each class that existed by then, and was not marked, that it is absent.
-- Example: the classes that people find hardest to tell
--   SELECT class_name, SUM(only_a + only_b) AS disputed, SUM(frames) AS frames
--   FROM annotator_agreement GROUP BY class_name ORDER BY 2 DESC
CREATE VIEW annotator_agreement AS
WITH standing AS (
    SELECT
        a.annotation_id,
        a.frame_id,
        a.annotator,
        a.outcome,
        a.judged_through,
        -- '[1, 2]' becomes ',1,2,', in which ',2,' is found by taking it out.
        REPLACE(REPLACE(REPLACE(a.judged, ' ', ''), '[', ','), ']', ',') AS judged,
        ROW_NUMBER() OVER (
            PARTITION BY a.frame_id, a.annotator
            ORDER BY
                CASE WHEN a.annotated_at IS NULL THEN 1 ELSE 0 END,
                a.annotated_at DESC,
                a.export_id DESC,
                ABS(COALESCE(a.offset_ms, 0)),
                a.annotation_id DESC
        ) AS recency
    FROM label_provenance p
    JOIN annotations a ON a.annotation_id = p.annotation_id
    WHERE p.standing = 1
),
voices AS (
    SELECT standing.*, COUNT(*) OVER (PARTITION BY frame_id) AS heard
    FROM standing
    WHERE recency = 1 AND outcome IN ('labelled', 'nobody')
),
marked AS (
    SELECT DISTINCT annotation_id, class_id FROM annotation_labels
),
judgements AS (
    SELECT
        s.frame_id,
        s.annotator,
        r.shown_class_id AS class_id,
        MAX(CASE WHEN m.class_id IS NULL THEN 0 ELSE 1 END) AS present
    FROM voices s
    CROSS JOIN resolved_classes r
    LEFT JOIN marked m ON m.annotation_id = s.annotation_id AND m.class_id = r.class_id
    WHERE
        -- Most frames are judged by one annotator, who agrees with nobody.
        s.heard > 1
        AND (
            m.class_id IS NOT NULL
            OR (s.judged IS NULL AND r.class_id <= s.judged_through)
            OR REPLACE(s.judged, REPLACE(',#,', '#', CAST(r.class_id AS VARCHAR(12))), '') <> s.judged
        )
    GROUP BY s.frame_id, s.annotator, r.shown_class_id
),
pairs AS (
    SELECT
        a.annotator AS annotator_a,
        b.annotator AS annotator_b,
        a.class_id,
        COUNT(*) AS frames,
        SUM(a.present * b.present) AS both_present,
        SUM(a.present * (1 - b.present)) AS only_a,
        SUM((1 - a.present) * b.present) AS only_b,
        SUM((1 - a.present) * (1 - b.present)) AS neither
    FROM judgements a
    JOIN judgements b ON b.frame_id = a.frame_id AND b.class_id = a.class_id AND b.annotator > a.annotator
    GROUP BY a.annotator, b.annotator, a.class_id
),
rated AS (
    SELECT
        pairs.*,
        CAST(both_present + neither AS DOUBLE PRECISION) / frames AS agreement,
        (
            CAST(both_present + only_a AS DOUBLE PRECISION) * (both_present + only_b)
            + CAST(neither + only_b AS DOUBLE PRECISION) * (neither + only_a)
        ) / (CAST(frames AS DOUBLE PRECISION) * frames) AS chance
    FROM pairs
)
SELECT
    rated.annotator_a,
    rated.annotator_b,
    rated.class_id,
    c.name AS class_name,
    rated.frames,
    rated.both_present,
    rated.only_a,
    rated.only_b,
    rated.neither,
    rated.agreement,
    CASE WHEN rated.chance < 1 THEN (rated.agreement - rated.chance) / (1 - rated.chance) END AS kappa
FROM rated
JOIN classes c ON c.class_id = rated.class_id
