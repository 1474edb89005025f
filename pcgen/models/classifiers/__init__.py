"""Supervised classifiers of clouds: references beside the codes of an encoder that saw no labels."""
