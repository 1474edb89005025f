"""Fully observed models: each coordinate, or each point, given those before it."""
