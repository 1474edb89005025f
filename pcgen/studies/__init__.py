"""Studies: what trains and measures several models: leaderboards, classification of codes, claims of papers."""
