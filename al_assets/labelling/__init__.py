"""The labelling tool's project: what it should hold, when its answers are fetched, and as which file. No requests."""
