"""Models that are defined only by their samples."""
