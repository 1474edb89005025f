"""Counts that no training scene has. Its two models of scenes make it expensive: minutes on one thread."""

import torch

from pcgen import data
from pcgen.data.scenes import count
from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned

__all__ = ["CLAIM"]

_RIGHT = "share of scenes of the count never seen that are counted right"
_POINTS = 128
_UNSEEN = 3  # shapes; training scenes have fewer, and scenes of more are left out


def _trial(seed: int, effort: float) -> Numbers:
    scenes = data.load(f"shapes:scene={scaled(2500, effort, 30)}", points=_POINTS, seed=seed)
    counts = torch.tensor([count(int(name.partition("/")[2]), seed) for name in scenes.names])
    seen, unseen = scenes.points[counts < _UNSEEN], scenes.points[counts == _UNSEEN]
    found = {}
    for name in ("air", "dair"):
        model = learned(name, seen, scaled(600, effort), {"batch_size": 16}, steps=4)
        found[name] = float((model.count(unseen) == _UNSEEN).double().mean())
    return {_RIGHT: found}


CLAIM = Claim(
    name="unseen_counts",
    says="DAIR counts objects in scenes with more objects than any training scene better than AIR.",
    source=(
        "Eslami, Heess, Weber, Tassa, Szepesvari, Kavukcuoglu, Hinton (2016). Attend, Infer, Repeat: Fast Scene "
        "Understanding with Generative Models."
    ),
    test=(
        "`air` and `dair`, with up to four objects each, learn about 1500 scenes of zero to two shapes, with 128 "
        "points, for 600 updates of 16 scenes, and count the objects of about 500 scenes of three. The page of "
        "the models of scenes has both at a larger size, where AIR counts most scenes of a count never seen, too."
    ),
    comparisons=(Difference(_RIGHT, larger="dair", smaller="air"),),
    trial=_trial,
    seeds=3,
)
