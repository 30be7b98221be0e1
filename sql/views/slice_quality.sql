-- slice_quality: on which parts of the archive the serving model is worse than elsewhere.
-- Grain: one row per metric of the serving checkpoint on a slice of the labelled hold-out frames.
-- Columns:
--   dimension          site, camera, season, hour, light or class
--   slice              value of the dimension, such as the name of a site; hours are UTC
--   metric             accuracy (share of frames wholly right), macro_f1, or for classes recall and precision
--   value              value on the slice; null where it is not defined
--   low                lower end of its 95 % interval
--   high               upper end of its 95 % interval
--   frames             labelled hold-out frames that it is of
--   videos             videos they come from
--   difference         value less that on all frames outside the slice
--   difference_low     lower end of its 95 % interval
--   difference_high    upper end of its 95 % interval
--   p_value            chance of a difference as far below 0 if there were none, adjusted for all slices; null where untested
--   worse              1 if significantly worse than the rest
--   measured_at        when this was measured, UTC
-- Notes: a slice is tested from 20 frames of 5 videos on, against at least 5 videos. Dark is a mean brightness below 0.25,
--   bright one of 0.5 or more. Classes are compared with all other classes together. macro_f1 is not tested: it moves
--   with the mix of classes on the slice, whatever the model.
-- Example: where the model needs help first
--   SELECT dimension, slice, metric, value, difference, frames FROM slice_quality WHERE worse = 1 ORDER BY difference
CREATE VIEW slice_quality AS
SELECT
    m.dimension,
    m.slice,
    m.metric,
    m.value,
    m.low,
    m.high,
    m.support AS frames,
    m.videos,
    m.difference,
    m.difference_low,
    m.difference_high,
    m.p_value,
    m.worse,
    m.measured_at
FROM slice_metrics m
WHERE m.checkpoint_id = (SELECT checkpoint_id FROM serving)
