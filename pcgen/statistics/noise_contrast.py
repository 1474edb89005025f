"""Noise-contrastive estimation: a density known up to a constant, by classification against noise of known density."""

import math

from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["noise_contrastive_loss"]


def noise_contrastive_loss(of_data: Tensor, of_noise: Tensor) -> Tensor:
    """The logistic loss of a classifier of data against noise, by the ratio of the model's density to the noise's.

        G(x) = log p(x) - log p_noise(x),  v = R / S
        mean over data of log(1 + v e^-G) + v mean over noise of log(1 + e^G / v)

    If p is known up to a constant, log p = -E(x) - c, the constant c is a parameter like all others. The loss is least
    if p is the density of the data; then c = log Z. With more noise per row of data, the estimate approaches that of
    maximum likelihood.

    Args:
        of_data: G at S rows of data, (S,).
        of_noise: G at R rows of noise, (R,).

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: values that are not (S,) and (R,), with at least one row each.

    References:
        Gutmann, Hyvärinen (2010). Noise-contrastive estimation: A new estimation principle for unnormalized statistical
        models.
    """
    if of_data.dim() != 1 or of_noise.dim() != 1 or not (len(of_data) and len(of_noise)):
        raise ValueError(
            "of_data, of_noise: must be (S,) and (R,), a number for each row, got "
            f"{tuple(of_data.shape)} and {tuple(of_noise.shape)}"
        )
    share = len(of_noise) / len(of_data)
    return softplus(math.log(share) - of_data).mean() + share * softplus(of_noise - math.log(share)).mean()
