"""Benches: what `al bench` measures, a module a case or a few that are alike. Nothing that the platform needs."""
