"""Attend, infer, repeat: scenes of objects that are found one after another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.models.scenes.attending import Attending
from pcgen.models.scenes.looking import Look

__all__ = ["AIR"]

_AVOIDED = 6.0  # an object is looked at again e^6 times less


class AIR(Attending):
    """Attend, infer, repeat: scenes of a background and up to T objects, which are found and decoded one by one.

        n ~ p(n),  where_t ~ N(m, diag v),  what_t ~ N(0, I),
        points ~ (1 - n w) p_background + w sum over t <= n of p(point | where_t, what_t), independently

    The density of an object is the mean of equal Gaussians about the decoded points of its code, in its box (centre and
    size). The encoder is recurrent. Each step sees the whole scene from above, attends to a place, and infers whether
    there is an object, where it is, and, from the points in its box, what it is. It knows the steps before only through
    its state and the places where objects were found. It is trained by

        log p(x) >= E_q [log p(x | n, where, what)] - KL(q(n) | p(n)) - sum over t of KL(q(where_t, what_t) | p)

    with p(n) proportional to presence^n. Differences from the paper, whose data are pictures:
    - Points are independent, so their likelihood is exact, and the loss is a true bound.
    - Given the objects of all steps, the expectation over the count is a sum of T + 1 terms that share their densities.
      It is computed exactly; the paper samples the count and uses the score function with a baseline.
    - The encoder sees a plan of the scene, in which points are weighted by how little the background explains them. It
      attends to one place by a softmax, and less to places where it has found an object: without that, a third object
      was still not found after 600 updates. The paper has a perceptron of all pixels.
    - At first, objects are trained as if all counts were equally likely (`explore`); the paper anneals the prior
      instead.
    - Samples have counts as frequent as inferred in training: p(n) only keeps objects few, and samples of it would
      mostly be empty.

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
