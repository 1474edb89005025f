"""Attend, infer, repeat: scenes as objects that are found one after another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.models.scenes.attending import Attending
from pcgen.models.scenes.looking import Look

__all__ = ["AIR"]

_AVOIDED = 6.0  # an object is looked at again e^6 times less


class AIR(Attending):
    """Scenes of a background and of up to T objects, each found, placed and decoded in a step of its own.

        n ~ p(n),  where_t ~ N(m, diag v),  what_t ~ N(0, I),
        points ~ (1 - n w) p_background + w sum over t <= n of p(point | where_t, what_t), independently

    An object's density is the mean of equal Gaussians about points that a decoder makes of its code, in its box: centre
    and size. The encoder is recurrent. Each step looks at the whole scene from above, attends to a place, infers
    whether an object is there at all, where it is, and from the points in its box what it is. Its state, and where it
    found objects, are all that it knows of the steps before. It is trained by

        log p(x) >= E_q [log p(x | n, where, what)] - KL(q(n) | p(n)) - sum over t of KL(q(where_t, what_t) | p)

    with p(n) proportional to presence^n. Ours differs from the paper, whose data are pictures:
    - Points are drawn independently, so their likelihood is exact, and the bound is one.
    - Given the objects of all steps, the expectation over the count is a sum of T + 1 terms which share their
      densities. It is taken exactly, where the paper draws the count and follows the score function with a baseline.
    - The encoder sees a plan in which each point counts as much as the background fails to explain it, attends to one
      place of it by a softmax, and less to where it found an object before: without that, a third object was still not
      found after 600 updates. The paper has a perceptron of all pixels.
    - At first objects learn as if every count were as likely (`explore`), in place of a prior that is annealed.
    - Scenes are drawn with counts as frequent as inferred in training: p(n) is to keep objects few, and would draw
      nothing most of the time.

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
        return [background]

    def recall(self, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        return state, before

    def avoided(self, look: Look, wheres: Sequence[Tensor]) -> Tensor:
        avoided = torch.zeros_like(look.mass)
        for where in wheres:
            x, _, z, log_size = where.detach()[..., None].unbind(1)
            squares = (look.places[:, 0] - x).square() + (look.places[:, 2] - z).square()
            avoided = avoided + _AVOIDED * (-0.5 * squares * (-2 * log_size).exp()).exp()
        return avoided
