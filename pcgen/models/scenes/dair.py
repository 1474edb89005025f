"""Difference attend, infer, repeat: each step sees what the steps before have not explained."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.models.scenes.attending import Attending
from pcgen.models.scenes.looking import Look

__all__ = ["DAIR"]


class DAIR(Attending):
    """Attend, infer, repeat, where each step sees only what the steps before have not explained.

        weight of a point in step t = p_any / (p_any + p_background + sum over s < t of p(point | where_s, what_s)),

    where p_any is uniform over the frame of all scenes. The rest is the model and the bound of `AIR`. An object that is
    found is no longer visible, so each step has the same task for any number of objects: find one of the remaining
    ones, or infer that there is none. A step therefore needs no information about the steps before, and counts that no
    training scene has are also inferred; this is the purpose of this variant in the paper. The differences from the
    paper are those of `AIR`. The paper's step sees the difference of two pictures, and has a state. Here it sees how
    much of each point is not explained, and has no state, since a state would count the steps and learn the largest
    count of training scenes.

    Args:
        shape: (points, 3) of generated scenes; y is up.
        steps: T, the most objects of a scene.
        hidden: width of the encoder's state and of the decoder.
        code: dimensions of what an object is.
        background: Gaussians of the background, fitted to all points before the first update.
        grid: cells of the plan along each side.
        presence: the prior odds of one more object.
        explore: the share of the training in which objects are also trained for counts other than the inferred ones.
        lr: Adam's learning rate; it is ten times as large for scalars and for the background.

    Logged:
        objects: -log p(x | objects), plus the divergence of where and what from their priors, in nats, mean over
            scenes.
        count: the divergence of the count from its prior, in nats, mean over scenes.

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
