"""An active-learning platform as Dagster assets: one room per asset family, in the order in which data flows."""
