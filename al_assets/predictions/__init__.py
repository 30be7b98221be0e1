"""From vectors to scores: uncertainty and scored rows. No table, no storage, no clock."""
