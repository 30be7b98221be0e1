-- human_labels: what people say of each frame and class, agreed among them.
-- Grain: one row per frame and class that was judged, present or absent.
-- Columns:
--   frame_id       frame
--   class_id       class that was judged, merged classes resolved
--   class_name     its name
--   judged_id      class_id that people judged; another than class_id if that class was merged since
--   present        1 present, 0 judged absent
--   agreement      share of annotators who agree with the consensus
--   annotators     annotators who judged this class on this frame
--   annotation_id  latest annotation behind it, see label_provenance
-- Notes: labels of an export that was undone are left out at once, not only after the next training. The grain is
--   frame and judged_id: after a merge a frame may hold two rows of one class_id.
-- Example: frames on which people disagree
--   SELECT frame_id, class_name, agreement, annotators FROM human_labels WHERE agreement < 1 ORDER BY agreement
CREATE VIEW human_labels AS
SELECT
    l.frame_id,
    r.shown_class_id AS class_id,
    r.class_name,
    l.class_id AS judged_id,
    l.present,
    l.agreement,
    l.annotators,
    l.annotation_id
FROM labels l
JOIN resolved_classes r ON r.class_id = l.class_id
WHERE NOT EXISTS (
    -- annotation_id = export_id * 2**32 + position; uncast, SQL Server takes the number for a decimal one.
    SELECT 1
    FROM label_exports e
    WHERE e.export_id = l.annotation_id / CAST(4294967296 AS BIGINT) AND e.status = 'undone'
)
