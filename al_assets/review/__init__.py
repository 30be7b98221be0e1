"""Labels that a model doubts: those that look wrong, and frames that another opinion would help."""
