"""Authenticity: is a sample farther from its nearest training cloud than this cloud is from other training clouds?"""

from torch import Tensor

from pcgen.metrics._checks import check_distances

__all__ = ["authenticity"]


def authenticity(sample_distances: Tensor, train_distances: Tensor) -> float:
    """The share of samples that are farther from their nearest training cloud than this cloud is from all others.

    mean_s [d(s, t_s) > min_{t != t_s} d(t_s, t)], t_s = argmin_t d(s, t). It is 0 for a model that repeats its training
    set. For new data it depends on the data, so compare it with the value of a second sample of the reference.

    For many independent points of a smooth density it is alpha / (1 + alpha), where alpha is the share of a ball that
    is outside an equal ball around a point of its surface. The expected number V of training points in the ball
    around s as far as t_s, which is empty, is exponential with mean 1, and t_s has a nearer neighbour if there is a
    point in the rest of the equal ball around t_s, with probability 1 - exp(-alpha V). This is 1/3 on a line
    (alpha = 1/2), 0.38 in the plane, and below 1/2 in any dimension. It is more if a few training clouds in the middle
    are the nearest of most samples, and have neighbours that are nearer than these.

    Args:
        sample_distances: d(s, t_s), the distance of each sample to its nearest training cloud, (S,).
        train_distances: the distance of that training cloud to its own nearest other one, (S,).

    Raises:
        ValueError: the two have different lengths, are empty or not finite.

    Alaa, van Breugel, Saveliev, van der Schaar (2022), How Faithful is your Synthetic Data? Sample-level Metrics for
    Evaluating and Auditing Generative Models.
    """
    samples = check_distances(sample_distances, "sample_distances")
    return float((samples > check_distances(train_distances, "train_distances", len(samples))).double().mean())
