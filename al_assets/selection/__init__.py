"""Which frames a person is asked about next, and as which tasks."""
