"""Authenticity: is a sample farther from its nearest training cloud than this cloud is from other training clouds?"""

from torch import Tensor

from pcgen.metrics._checks import check_distances

__all__ = ["authenticity"]


def authenticity(sample_distances: Tensor, train_distances: Tensor) -> float:
    """The share of samples that are farther from their nearest training cloud than this cloud is from all others.

    mean_s [d(s, t_s) > min_{t != t_s} d(t_s, t)], t_s = argmin_t d(s, t). It is 0 for a model that repeats its training
    set, and about one half for samples of the data's own distribution, if there are many clouds and dimensions.

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
