"""Studies: what trains and measures several models: leaderboards, classification of codes."""
