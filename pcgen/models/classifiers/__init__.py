"""Supervised classifiers of clouds: references for the codes of an encoder that saw no labels."""
