"""Training set, PyTorch dataset, heads, calibration, evaluation, promotion. No table, no storage, no clock."""
