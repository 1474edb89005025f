"""Boltzmann machines: models whose density is known up to its normaliser."""
