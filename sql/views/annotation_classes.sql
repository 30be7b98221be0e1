-- annotation_classes: what an annotation says, as one readable value.
-- Grain: one row per annotation that marks at least one class.
-- Columns:
--   annotation_id  annotation
--   class_names    names of the classes marked, in order of name, separated by |
--   marks          number of marks (boxes count one by one)
-- Notes: a class that is marked twice, or that was merged into another marked one, is named once.
-- Example: the commonest answers
--   SELECT class_names, COUNT(*) AS annotations FROM annotation_classes GROUP BY class_names ORDER BY 2 DESC
CREATE VIEW annotation_classes AS
SELECT named.annotation_id, GROUP_CONCAT(named.class_name, '|') AS class_names, SUM(named.marks) AS marks
FROM (
    SELECT m.annotation_id, r.class_name, COUNT(*) AS marks
    FROM annotation_labels m
    JOIN resolved_classes r ON r.class_id = m.class_id
    GROUP BY m.annotation_id, r.class_name
    ORDER BY m.annotation_id, r.class_name
) named
GROUP BY named.annotation_id
