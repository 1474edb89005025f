"""pcgen: generative modelling of point clouds, with distances that are exact and metrics that can be compared.

Submodules are imported when first used, so that `import pcgen` costs nothing:

    import pcgen

    clouds = pcgen.data.load("shapes:chair@test")
    pcgen.ops.emd(clouds.points[:4], clouds.points[4:8])
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that type checkers and editors see what __getattr__ imports
    from pcgen import data as data
    from pcgen import estimators as estimators
    from pcgen import latents as latents
    from pcgen import metrics as metrics
    from pcgen import models as models
    from pcgen import nets as nets
    from pcgen import ops as ops
    from pcgen import optim as optim
    from pcgen import report as report
    from pcgen import solvers as solvers
    from pcgen import statistics as statistics
    from pcgen import studies as studies
    from pcgen import training as training
    from pcgen import view as view

__version__ = "0.3.0"

# OpenMP's threads spin while they wait for each other, by default for milliseconds: beside other work on the same
# processors that makes a training several times slower, and threads that sleep at once make it half as fast on a quiet
# machine, since a layer of a small network takes microseconds. They spin for tens of microseconds here, then sleep.
# OpenMP reads this once, when torch is loaded.
if "torch" not in sys.modules and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "5000"

_SUBMODULES = (
    "data",
    "estimators",
    "latents",
    "metrics",
    "models",
    "nets",
    "ops",
    "optim",
    "report",
    "solvers",
    "statistics",
    "studies",
    "training",
    "view",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"pcgen.{name}")
    raise AttributeError(f"module 'pcgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])
