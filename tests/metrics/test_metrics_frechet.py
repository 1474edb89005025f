import math

import numpy as np
import pytest
import scipy.linalg
import torch

from pcgen.metrics.frechet import frechet_classifier_distance, frechet_distance
from pcgen.models.classifiers.pointnet import PointNetClassifier
from pcgen.models.classifiers.pointnet2 import PointNet2Classifier

CLASSES = ("ball", "rod")


def by_definition(a: torch.Tensor, b: torch.Tensor) -> float:
    """Means, covariances by numpy, and scipy's matrix square root of the product of covariances."""
    x, y = a.double().numpy(), b.double().numpy()
    c, d = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(c @ d).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c + d - 2 * root))


def with_moments(mean: torch.Tensor, covariance: torch.Tensor, n: int = 200) -> torch.Tensor:
    """A sample whose own mean and covariance are exactly the given ones."""
    x = torch.randn(n, len(mean), dtype=torch.float64)
    x = torch.linalg.qr(x - x.mean(0)).Q * math.sqrt(n - 1)
    return x @ torch.linalg.cholesky(covariance).T + mean


def turned(values: list[float]) -> torch.Tensor:
    q = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64)).Q
    return q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T


@pytest.fixture(scope="module")
def classifier() -> PointNetClassifier:
    torch.manual_seed(0)
    return PointNetClassifier((32, 3), CLASSES, code=16).eval()


def test_gaussians_on_one_set_of_axes_have_a_closed_form():
    """For covariances that commute: the distance between means and between the roots of the variances, squared."""
    a, b = [1.0, 4.0, 0.25], [9.0, 1.0, 0.25]
    mean_a, mean_b = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([1.0, 0.0, 2.0]).double()
    x = with_moments(mean_a, torch.diag(torch.tensor(a).double()))
    y = with_moments(mean_b, torch.diag(torch.tensor(b).double()))
    expected = 5.0 + sum((math.sqrt(p) - math.sqrt(q)) ** 2 for p, q in zip(a, b, strict=True))
    assert float(frechet_distance(x, y)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "m", "dim"), [(40, 90, 6), (300, 50, 20), (64, 64, 2)])
def test_the_root_of_the_covariances_is_scipys(n, m, dim):
    x = torch.randn(n, dim) @ torch.randn(dim, dim) + torch.randn(dim)
    y = torch.randn(m, dim) @ torch.randn(dim, dim)
    expected = by_definition(x, y)
    assert float(frechet_distance(x, y)) == pytest.approx(expected, rel=1e-5)
    assert float(frechet_distance(y, x)) == pytest.approx(expected, rel=1e-5)


def test_covariances_that_do_not_commute():
    a, b = turned([1.0, 2.0, 5.0, 0.1]), turned([3.0, 0.5, 1.0, 2.0])
    root = torch.from_numpy(scipy.linalg.sqrtm((a @ b).numpy()).real)
    zero = torch.zeros(4, dtype=torch.float64)
    expected = float(torch.trace(a + b - 2 * root))
    assert float(frechet_distance(with_moments(zero, a), with_moments(zero, b))) == pytest.approx(expected, rel=1e-9)


def test_singular_covariances_are_exact():
    """Two lines at an angle: roots of rank one have a closed form, 2 s t |cos|, where `sqrtm` of the product fails."""
    angle = 0.3
    along = torch.randn(50, 1, dtype=torch.float64)
    u, v = torch.zeros(80).double(), torch.zeros(80).double()
    u[0], v[0], v[1] = 1.0, math.cos(angle), math.sin(angle)
    s, t = float(along.std()), 3 * float(along.std())
    means = (along * u).mean(0) - (3 * along * v).mean(0)
    expected = float(means.square().sum()) + s * s + t * t - 2 * s * t * math.cos(angle)
    assert float(frechet_distance(along * u, 3 * along * v)) == pytest.approx(expected, rel=1e-10)
    few = torch.randn(5, 80)
    assert float(frechet_distance(few, few)) == pytest.approx(0.0, abs=1e-10)
    assert float(frechet_distance(few, few + 2)) == pytest.approx(4 * 80, rel=1e-6)


def test_it_is_squared_and_turns_with_the_features():
    x, y = torch.randn(60, 5), 2 * torch.randn(70, 5) + 1
    q = torch.linalg.qr(torch.randn(5, 5)).Q
    value = float(frechet_distance(x, y))
    assert float(frechet_distance(3 * x, 3 * y)) == pytest.approx(9 * value, rel=1e-6)
    assert float(frechet_distance(x @ q + 7, y @ q + 7)) == pytest.approx(value, rel=1e-4)


def test_bad_features_are_named():
    with pytest.raises(ValueError, match=r"features_a: must be two or more vectors \(n, D\), got \(1, 3\)"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="features_b: must have the width of features_a, 3, got 4"):
        frechet_distance(torch.zeros(4, 3), torch.zeros(4, 4))
    with pytest.raises(ValueError, match="features_b: must be finite, got NaN or infinity in 4 rows"):
        frechet_distance(torch.zeros(4, 3), torch.zeros(4, 3) / 0)


def test_on_a_classifier_it_is_that_of_its_features_whatever_unit_and_place(classifier):
    x, y = torch.randn(20, 32, 3), torch.randn(24, 32, 3) * torch.tensor([1.0, 1.0, 4.0])
    result = frechet_classifier_distance(x, y, classifier)
    moved = frechet_classifier_distance(x * 50 + 3, y, classifier)
    assert result.value == pytest.approx(float(frechet_distance(classifier.features(x), classifier.features(y))))
    assert moved.value == pytest.approx(result.value, rel=1e-3)
    assert result.clouds == (20, 24)


def test_chance_is_what_equal_distributions_score(classifier):
    """Balls against balls lie at chance; against rods far above it; and fewer clouds score more by chance."""

    def balls(n):
        return torch.randn(n, 32, 3)

    rods = balls(60) * torch.tensor([1.0, 0.05, 0.05])
    alike = frechet_classifier_distance(balls(60), balls(60), classifier)
    other = frechet_classifier_distance(balls(60), rods, classifier)
    few = frechet_classifier_distance(balls(10), balls(10), classifier)
    assert 0.6 < alike.value / alike.chance < 1.6
    assert other.value > 5 * other.chance
    assert few.value > 2 * alike.value


def test_the_name_says_whose_features_and_changes_with_the_weights(classifier):
    x = torch.randn(8, 32, 3)
    result = frechet_classifier_distance(x, x, classifier, run="parts")
    assert result.name == f"fcd[pointnet_classifier, parts, {result.classifier.hash}]"
    assert len(result.classifier.hash) == 12
    assert frechet_classifier_distance(x, x, classifier).classifier.hash == result.classifier.hash
    other = PointNetClassifier((32, 3), CLASSES, code=16)
    assert frechet_classifier_distance(x, x, other).classifier.hash != result.classifier.hash


def test_too_few_clouds_for_the_features_are_told(classifier):
    x = torch.randn(300, 32, 3)
    told = frechet_classifier_distance(x[:10], x, classifier).notes
    assert "10 clouds give a singular covariance of 256 features" in told[1]
    assert len(frechet_classifier_distance(x, x, classifier).notes) == 1


def test_chance_leaves_the_global_generator_alone_and_follows_its_seed(classifier):
    x, y = torch.randn(9, 32, 3), torch.randn(9, 32, 3)
    before = torch.get_rng_state()
    one, again = (frechet_classifier_distance(x, y, classifier, seed=3) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert one == again
    assert frechet_classifier_distance(x, y, classifier, seed=4).chance != one.chance


def test_bad_sets_are_named(classifier):
    x = torch.randn(4, 32, 3)
    with pytest.raises(ValueError, match="samples: must have as many points as reference, 32, got 16"):
        frechet_classifier_distance(x[:, :16], x, classifier)
    with pytest.raises(ValueError, match=r"reference: must be two or more finite clouds .* got \(1, 32, 3\)"):
        frechet_classifier_distance(x, x[:1], classifier)
    with pytest.raises(ValueError, match="classifier: must be a classifier of clouds, got Identity"):
        frechet_classifier_distance(x, x, torch.nn.Identity())
    with_normals = PointNet2Classifier((32, 6), ["a", "b"])
    with pytest.raises(ValueError, match="classifier: must see points alone, got one of 6 channels"):
        frechet_classifier_distance(x, x, with_normals)
