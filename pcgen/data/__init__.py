"""Clouds in and out: files, dataset layouts, and the built-in shapes."""

from pcgen.data.augmentation import Augmentation
from pcgen.data.clouds import SPLITS, Clouds
from pcgen.data.geometric import from_pyg, to_pyg
from pcgen.data.inspection import Fault, check, info
from pcgen.data.loading import load, load_each
from pcgen.data.meshing import mesh
from pcgen.data.normalization import NORMALIZATIONS, Normalization
from pcgen.data.placement import Placement
from pcgen.data.saving import save, save_meshes
from pcgen.data.spec import Spec, default_split, parse
from pcgen.data.splits import holdout

__all__ = [
    "NORMALIZATIONS",
    "SPLITS",
    "Augmentation",
    "Clouds",
    "Fault",
    "Normalization",
    "Placement",
    "Spec",
    "check",
    "default_split",
    "from_pyg",
    "holdout",
    "info",
    "load",
    "load_each",
    "mesh",
    "parse",
    "save",
    "save_meshes",
    "to_pyg",
]
