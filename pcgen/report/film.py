"""How a generator samples step by step, for an explorer page."""

from pcgen.data.thinning import thinned_rows
from pcgen.models.abilities import can
from pcgen.report.atlas import Film
from pcgen.report.encoding import BYTES
from pcgen.report.opened import Opened
from pcgen.training.chains import states_of

__all__ = ["film_of"]

_CLOUDS, _FRAMES = 6, 24
_BYTES = 500_000  # of the clouds of all frames


def film_of(opened: Opened) -> Film | None:
    """The states of a few clouds while the model samples them; None for a model that samples in one step.

    Raises:
        FloatingPointError: a state is not finite: the chain has diverged.
    """
    if not can(opened.model, "states"):
        return None
    states, captions = states_of(
        opened.run, _CLOUDS, _FRAMES, opened.seed, checkpoint=opened.checkpoint, device=opened.device
    )
    frames, clouds, stored = states.shape[:3]
    points = min(stored, _BYTES // (BYTES * frames * clouds))
    kept = thinned_rows(stored, points, "film", opened.seed).sort().values
    about = [
        f"The frames are the states of {clouds} new clouds while the model samples them; the last are the samples."
    ]
    if points < stored:
        about.append(f"Shown: {points} of the {stored} points of a cloud.")
    return Film(states[:, :, kept].double().numpy(), captions, about)
