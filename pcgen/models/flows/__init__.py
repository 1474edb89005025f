"""Flows: models that carry noise to data along a differential equation."""
