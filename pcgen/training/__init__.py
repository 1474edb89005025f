"""Training: the loop, run folders with their checkpoints, and several processes."""

from pcgen.training.fitting import fit
from pcgen.training.heads import Codes, head_on_codes, read_codes
from pcgen.training.loop import NotFinite, Step, steps
from pcgen.training.run import Run, load, save
from pcgen.training.signals import Interrupted
from pcgen.training.state import State

__all__ = [
    "Codes",
    "Interrupted",
    "NotFinite",
    "Run",
    "State",
    "Step",
    "fit",
    "head_on_codes",
    "load",
    "read_codes",
    "save",
    "steps",
]
