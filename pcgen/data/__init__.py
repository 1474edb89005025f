"""Clouds in and out: files, dataset layouts, and the built-in shapes."""

from pcgen.data.clouds import SPLITS, Clouds
from pcgen.data.loading import load
from pcgen.data.normalization import NORMALIZATIONS, Normalization
from pcgen.data.spec import Spec, default_split, parse
from pcgen.data.splits import holdout

__all__ = ["NORMALIZATIONS", "SPLITS", "Clouds", "Normalization", "Spec", "default_split", "holdout", "load", "parse"]
