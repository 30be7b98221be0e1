"""The demo room: a small archive with complete ground truth for the main command to run on."""
