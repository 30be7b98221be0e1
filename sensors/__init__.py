"""Sensors: what the outside world changed, and what the platform should do about it."""
