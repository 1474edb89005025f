"""Models trained against a critic."""
