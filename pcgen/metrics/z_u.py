"""Z_U: are samples nearer to the training set than held-out clouds are?"""

import math

import torch
from torch import Tensor

from pcgen.metrics._checks import check_distances

__all__ = ["z_u"]


def z_u(samples: Tensor, held_out: Tensor) -> float:
    """The Mann-Whitney statistic of two sets' distances to the training set, in standard deviations from its mean.

    U = #{(s, h): L(s) > L(h)} + #{(s, h): L(s) = L(h)} / 2, Z_U = (U - m n / 2) / sigma,
    sigma^2 = m n / 12 (m + n + 1 - sum_t (t^3 - t) / ((m + n) (m + n - 1))), t the sizes of the groups of ties.
    For two sets of one distribution it is nearly N(0, 1), from about 20 clouds of each on. If it is far below 0,
    samples are nearer to the training set than held-out clouds are, which is copying. If it is far above 0, they are
    farther away, which is underfitting. It is a sum over all clouds: a model that copies some clouds and is too far
    from others may have 0 (see the least Z_U of a cell in `c_t`).

    Args:
        samples: L(s), the distance of each sample to its nearest training cloud, (m,).
        held_out: the same for held-out clouds, (n,), computed in the same way: on the same number of points, by the
            same search.

    Raises:
        ValueError: a set is empty, does not have one number per cloud, or is not finite.

    Meehan, Chaudhuri, Dasgupta (2020), A Non-Parametric Test to Detect Data-Copying in Generative Models; Mann, Whitney
    (1947), On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other.
    """
    from scipy.stats import rankdata

    samples, held_out = check_distances(samples, "samples"), check_distances(held_out, "held_out")
    m, n = len(samples), len(held_out)
    joint = torch.cat((samples, held_out))
    ranks = torch.from_numpy(rankdata(joint.numpy()))  # ties get their mean rank
    u = float(ranks[:m].sum()) - m * (m + 1) / 2
    ties = joint.unique(return_counts=True)[1].double()
    tied = float((ties**3 - ties).sum()) / ((m + n) * (m + n - 1))
    variance = m * n / 12 * (m + n + 1 - tied)
    return (u - m * n / 2) / math.sqrt(variance) if variance > 0 else 0.0  # 0 if all distances are equal
