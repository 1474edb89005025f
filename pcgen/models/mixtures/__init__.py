"""Mixtures, factors and maps."""
