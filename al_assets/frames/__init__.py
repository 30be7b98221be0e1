"""Frames room: from a video or a folder of stills to one row per sampled frame. No model, no label."""
