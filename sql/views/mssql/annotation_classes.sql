-- SQL Server spelling of ../annotation_classes.sql, which holds the promise: joining text is a dialect's own.
CREATE VIEW annotation_classes AS
SELECT
    named.annotation_id,
    STRING_AGG(CAST(named.class_name AS NVARCHAR(MAX)), '|') WITHIN GROUP (ORDER BY named.class_name) AS class_names,
    SUM(named.marks) AS marks
FROM (
    SELECT m.annotation_id, r.class_name, COUNT(*) AS marks
    FROM annotation_labels m
    JOIN resolved_classes r ON r.class_id = m.class_id
    GROUP BY m.annotation_id, r.class_name
) named
GROUP BY named.annotation_id
