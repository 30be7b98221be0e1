-- resolved_classes: which class a class counts as, since classes that were merged count as their target.
-- Grain: one row per class, merged ones included.
-- Columns:
--   class_id        class as stored in labels and predictions
--   shown_class_id  class it counts as: itself, or the class it was merged into
--   class_name      name of the class it counts as
-- Notes: one level of merging is followed. Whoever merges a class into another also turns those that had been
--   merged into the first one, so that there never is a second level.
-- Example: every class that was merged, and into what
--   SELECT c.name AS was, r.class_name AS counts_as
--   FROM resolved_classes r JOIN classes c ON c.class_id = r.class_id
--   WHERE r.shown_class_id <> r.class_id
CREATE VIEW resolved_classes AS
SELECT
    c.class_id,
    COALESCE(target.class_id, c.class_id) AS shown_class_id,
    COALESCE(target.name, c.name) AS class_name
FROM classes c
LEFT JOIN classes target ON target.class_id = c.merged_into
