"""Difference attend, infer, repeat: each step sees what the steps before have left unexplained."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.models.scenes.attending import Attending
from pcgen.models.scenes.looking import Look

__all__ = ["DAIR"]


class DAIR(Attending):
    """Attend, infer, repeat, where each step sees the scene less what the steps before have explained of it.

        weight of a point in step t = p_any / (p_any + p_background + sum over s < t of p(point | where_s, what_s)),

    p_any being spread evenly over the frame of all scenes. All else is the model and the bound of `AIR`. An object that
    is found is no longer seen, so each step has the same task however many there are: find one of those that are left,
    and say whether there is any. So it is told nothing of the steps before, and counts that no training scene has are
    inferred as well. The paper has it as a variant for this. Ours differs as `AIR` does; there a step sees the
    difference of two pictures, and has a state; here it sees how much of each point is left unexplained, and has none,
    since a state would tell it how many steps there were, and so the largest count that training scenes had.

    Args:
        shape: (points, 3) of the scenes that are drawn; y is up.
        steps: T, the most objects of a scene.
        hidden: width of the encoder's state and of the decoder.
        code: dimensions of what an object is.
        background: Gaussians of the background, fitted to all points before the first update.
        grid: cells of the plan along each side.
        presence: the prior odds of an object more.
        explore: the share of the training until which objects learn as if other counts than the inferred ones were
            there too.
        lr: Adam's learning rate; single numbers, and the background, have ten times as much.

    Logged:
        objects: -log p(x | objects), plus the divergence of where and what from their priors, in nats, a mean over
            scenes.
        count: the divergence of the count from its prior, in nats, a mean over scenes.

    Raises:
        ValueError: a shape that is not (points, 3), or an argument out of range.

    References:
        Eslami, Heess, Weber, Tassa, Szepesvari, Kavukcuoglu, Hinton (2016). Attend, Infer, Repeat: Fast Scene
        Understanding with Generative Models.
    """

    def explained(self, background: Tensor, objects: Sequence[Tensor]) -> list[Tensor]:
        return [background, *objects]

    def recall(self, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(state), torch.zeros_like(before)

    def avoided(self, look: Look, wheres: Sequence[Tensor]) -> Tensor:
        return torch.zeros_like(look.mass)  # what is explained draws no attention
