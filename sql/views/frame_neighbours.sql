-- frame_neighbours: the frame that was sampled two before each frame, which is how far a sighting may reach back.
-- Grain: one row per sampled frame.
-- Columns:
--   frame_id       frame
--   two_before_id  frame two places before it in the order of frame_id, in whichever video; null for the first two
-- Notes: a part of sighting_frames that is spelt for each dialect: PostgreSQL is quick at numbering a whole table and
--   SQLite at looking up a key.
-- Example: the sampled frames between which exactly one frame lies
--   SELECT two_before_id, frame_id FROM frame_neighbours WHERE frame_id - two_before_id < 16777216
CREATE VIEW frame_neighbours AS
SELECT f.frame_id, LAG(f.frame_id, 2) OVER (ORDER BY f.frame_id) AS two_before_id
FROM frames f
