"""Frechet distance between Gaussians fitted to features, in general and for the features of a trained classifier."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pcgen.data.clouds import Clouds
from pcgen.errors import at_least
from pcgen.metrics.identity import Identity
from pcgen.models.classifiers.base import Classifier
from pcgen.models.inference import in_batches
from pcgen.statistics import permutation_test

__all__ = ["FrechetClassifierDistance", "frechet_classifier_distance", "frechet_distance"]


@dataclass(frozen=True)
class FrechetClassifierDistance:
    """A Frechet distance on a classifier's features; only distances on the same classifier can be compared.

    Attributes:
        value: the squared distance, in the square of the features' unit.
        chance: the score of equal distributions with these set sizes: the mean over random relabellings.
        classifier: the classifier on which the value depends.
        clouds: sizes of both sets, samples first.
        notes: remarks for readers of the value.
    """

    value: float
    chance: float
    classifier: Identity
    clouds: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The metric's name in tables and reports: "fcd[pointnet_classifier, RUN, 1a2b3c4d5e6f]"."""
        return self.classifier.metric("fcd")


def frechet_distance(features_a: Tensor, features_b: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance between the Gaussians fitted to two samples of vectors.

        |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2)

    with sample means m and covariances C (divided by n - 1). The trace of the root is exact, also for singular
    covariances: it is the sum of the singular values of R_a R_b^T, where C = R^T R is from a QR decomposition of the
    centred sample.

    Args:
        features_a: (S, D), S >= 2.
        features_b: (R, D), R >= 2.

    Returns:
        A float64 scalar on the CPU, without a gradient, in the square of the features' unit. It has a positive bias for
        finite samples. The bias is large if a sample has D vectors or fewer, since its covariance is then singular.

    Raises:
        ValueError: shapes do not fit, or a value is not finite.

    Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter (2017), GANs Trained by a Two Time-Scale Update Rule Converge to
    a Local Nash Equilibrium; Dowson, Landau (1982), The Frechet distance between multivariate normal distributions.
    """
    a, b = _checked("features_a", features_a), _checked("features_b", features_b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"features_b: must have the width of features_a, {a.shape[1]}, got {b.shape[1]}")
    means, roots = zip(*(_gaussian(each) for each in (a, b)), strict=True)
    common = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    variances = torch.stack([root.square().sum() for root in roots]).sum()
    distance: Tensor = (means[0] - means[1]).square().sum() + variances - 2 * common
    return distance.clamp(min=0)  # It can be negative only by rounding.


def frechet_classifier_distance(
    samples: Tensor | Clouds,
    reference: Tensor | Clouds,
    classifier: Classifier,
    *,
    run: str = "",
    relabellings: int = 20,
    seed: int = 0,
) -> FrechetClassifierDistance:
    """The Frechet distance between a classifier's features of generated and of reference clouds.

    The features are those of the last hidden layer. Shu et al. call this the Frechet point cloud distance (FPD), with
    their own classifier. Values of two classifiers, or for two numbers of points, cannot be compared. The
    classifier puts every cloud into the unit sphere: position and size of clouds are not measured.

    Args:
        samples: (S, N, 3), in any unit.
        reference: (R, N, 3), of as many points.
        classifier: trained by pcgen, on shapes like the reference's.
        run: the name of its run folder, for the metric's name.
        relabellings: how often both sets are pooled and divided again at random, for `chance`; at least 1.
        seed: of the relabellings; torch's global generator is not used.

    Raises:
        ValueError: the model is not a classifier, or one that sees normals; the sets differ in the number of points, or
            a set has fewer than two clouds or clouds that are not finite.

    Shu, Park, Kwon (2019), 3D Point Cloud Generative Adversarial Network Based on Tree Structured Graph Convolutions.
    """
    if not isinstance(classifier, Classifier):
        raise ValueError(
            f"classifier: must be a classifier of clouds, got {type(classifier).__name__}; "
            "`pcgen classify --supervised` trains some"
        )
    if classifier.shape[1] != 3:
        raise ValueError(
            f"classifier: must see points alone, got one of {classifier.shape[1]} channels: generated clouds have no "
            "normals; give another run of `pcgen classify`"
        )
    at_least(1, relabellings=relabellings)
    a, b = (each.points if isinstance(each, Clouds) else each for each in (samples, reference))
    for name, each in (("samples", a), ("reference", b)):
        if each.ndim != 3 or each.shape[2] != 3 or len(each) < 2 or not each.isfinite().all():
            raise ValueError(
                f"{name}: must be two or more finite clouds (S, N, 3), got {tuple(each.shape)}; drop those with NaN"
            )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"samples: must have as many points as reference, {b.shape[1]}, got {a.shape[1]}: the features depend "
            "on it; subsample the larger"
        )
    x, y = (in_batches(classifier, classifier.features, each.float()).double().cpu() for each in (a, b))
    width = x.shape[1]
    pooled = torch.cat((x, y))

    def distances(first: Tensor) -> Tensor:
        return torch.stack([frechet_distance(pooled[one], pooled[~one]) for one in first])

    test = permutation_test(distances, (len(x), len(y)), relabellings, seed)
    return FrechetClassifierDistance(
        value=test.value,
        chance=test.chance,
        classifier=Identity.of(classifier, run),
        clouds=(len(a), len(b)),
        notes=_notes(len(a), len(b), width, run or type(classifier).__name__),
    )


def _notes(samples: int, reference: int, width: int, classifier: str) -> tuple[str, ...]:
    notes = [f"features of {classifier}: only values of the same weights and set sizes can be compared"]
    few = min(samples, reference)
    if few <= width:
        notes.append(
            f"{few} clouds give a singular covariance of {width} features, which raises the distance: compare it with "
            "`chance`, the score of as many clouds of one distribution"
        )
    return tuple(notes)


def _gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and a root R of the covariance, R^T R, (min(n, D), D)."""
    mean = features.mean(0)
    root: Tensor = torch.linalg.qr((features - mean) / math.sqrt(len(features) - 1), mode="r").R
    return mean, root


def _checked(name: str, features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2 or not features.shape[1]:
        raise ValueError(f"{name}: must be two or more vectors (n, D), got {tuple(features.shape)}")
    if not features.isfinite().all():
        bad = int((~features.isfinite()).any(1).sum())
        raise ValueError(f"{name}: must be finite, got NaN or infinity in {bad} rows")
    return features.detach().double().cpu()
