"""Fully observed models: each number, or each point, given those before it."""
