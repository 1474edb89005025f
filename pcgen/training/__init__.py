"""Training: the loop, run folders with their checkpoints, and several processes."""

from pcgen.training.chains import states_of
from pcgen.training.fitting import fit
from pcgen.training.heads import Codes, head_on_codes, read_codes
from pcgen.training.jobs import Job, again, on_clouds, on_codes
from pcgen.training.labels import spread_labels
from pcgen.training.loop import NotFinite, Step, steps
from pcgen.training.options import Options
from pcgen.training.run import Run
from pcgen.training.saving import load, save
from pcgen.training.signals import Interrupted
from pcgen.training.state import State

__all__ = [
    "Codes",
    "Interrupted",
    "Job",
    "NotFinite",
    "Options",
    "Run",
    "State",
    "Step",
    "again",
    "fit",
    "head_on_codes",
    "load",
    "on_clouds",
    "on_codes",
    "read_codes",
    "save",
    "spread_labels",
    "states_of",
    "steps",
]
