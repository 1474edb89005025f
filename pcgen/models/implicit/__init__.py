"""Models that are known by their samples alone."""
