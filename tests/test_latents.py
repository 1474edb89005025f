import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from pcgen import data
from pcgen.latents import anomaly_score, class_shift, interpolate, nearest, principal_axes
from pcgen.models import build
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.ops import chamfer
from pcgen.training import fit


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_way_begins_and_ends_at_its_codes(path: str) -> None:
    a, b = torch.randn(2, 5, 4, 3, dtype=torch.float64)  # sets of tokens
    way = interpolate(a, b, 6, path, centre=torch.randn(4, 3, dtype=torch.float64))
    assert way.shape == (5, 6, 4, 3)
    torch.testing.assert_close(way[:, 0], a)
    torch.testing.assert_close(way[:, -1], b)


def test_a_spherical_way_keeps_its_distance_from_the_centre_and_turns_evenly() -> None:
    torch.manual_seed(0)
    centre = torch.randn(7, dtype=torch.float64)
    a, b = (3 * torch.nn.functional.normalize(torch.randn(4, 7, dtype=torch.float64), dim=1) for _ in range(2))
    way = interpolate(a + centre, b + centre, 9, "spherical", centre) - centre
    torch.testing.assert_close(way.norm(dim=2), torch.full((4, 9), 3.0, dtype=torch.float64))
    angles = torch.cosine_similarity(way[:, :-1], way[:, 1:], dim=2).acos()
    torch.testing.assert_close(angles, (torch.cosine_similarity(a, b, dim=1).acos() / 8)[:, None].expand(-1, 8))


def test_where_no_circle_is_the_shortest_the_way_is_straight() -> None:
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    b = torch.tensor([[3.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    expected = interpolate(a, b, 5)
    found = interpolate(a, b, 5, "spherical")
    torch.testing.assert_close(found[:2], expected[:2])
    assert found.isfinite().all()


def test_a_shift_carries_the_mean_of_one_class_to_that_of_the_other() -> None:
    codes, labels = torch.randn(40, 3), torch.arange(40) % 4
    moved = codes[labels == 1] + class_shift(codes, labels, 1, 3)
    torch.testing.assert_close(moved.mean(0), codes[labels == 3].mean(0))
    with pytest.raises(ValueError, match=r"target: must be a label that a code has, got 7; there are \[0, 1, 2, 3\]"):
        class_shift(codes, labels, 1, 7)


def test_the_nearest_codes_are_those_of_scikit_learn() -> None:
    torch.manual_seed(0)
    codes, among = torch.randn(6, 2, 3), torch.randn(30, 2, 3)
    distances, places = nearest(codes, among, 4)
    expected = NearestNeighbors(n_neighbors=4).fit(among.flatten(1)).kneighbors(codes.flatten(1))
    torch.testing.assert_close(distances.double(), torch.from_numpy(expected[0]), atol=1e-6, rtol=1e-6)
    assert places.tolist() == expected[1].tolist()
    with pytest.raises(ValueError, match="k: must be from 1 to the 30 codes there are, got 31"):
        nearest(codes, among, 31)


def boxes(count: int, sides: tuple[float, float, float]) -> torch.Tensor:
    """Points uniform in boxes of about these sides, (count, 64, 3)."""
    return (torch.rand(count, 64, 3) - 0.5) * torch.tensor(sides) * (1 + 0.2 * torch.randn(count, 1, 3))


def auroc(strange: torch.Tensor, known: torch.Tensor) -> float:
    """The probability that a strange row has a higher score than a known one."""
    labels = torch.cat([torch.ones(len(strange)), torch.zeros(len(known))])
    return float(roc_auc_score(labels, torch.cat([strange, known])))


def test_a_bound_on_the_density_of_codes_tells_another_class() -> None:
    torch.manual_seed(0)
    train, again, other = boxes(200, (1, 0.5, 0.5)), boxes(60, (1, 0.5, 0.5)), boxes(60, (0.2, 0.2, 1.5))
    small = {
        "encoder": {"name": "pointnet", "widths": [32, 64]},
        "decoder": {"name": "fully_connected", "widths": [64]},
    }
    autoencoder = fit(
        Autoencoder((64, 3), code=8, reconstruction="chamfer", **small),
        train,
        augment=data.Augmentation(),
        steps=150,
        seed=0,
    )
    model = LatentCloudModel(autoencoder, build({"name": "vae", "shape": [8], "code": 3, "widths": [32]}))
    fit(model, model.encode(train), steps=200, seed=0).eval()
    assert auroc(anomaly_score(model, other), anomaly_score(model, again)) > 0.95
    seen = model.to_head(model.encode(again))
    torch.manual_seed(1)
    found = anomaly_score(model, again)
    torch.manual_seed(1)
    with torch.no_grad():
        torch.testing.assert_close(found, -model.head.log_prob_bound(seen))


def test_a_model_of_chairs_is_surprised_by_tables() -> None:
    chairs = data.load("shapes:chair=260", points=128, seed=0).points
    tables = data.load("shapes:table=60", points=128, seed=0).points
    small = {
        "encoder": {"name": "pointnet", "widths": [32, 64]},
        "decoder": {"name": "fully_connected", "widths": [128]},
    }
    autoencoder = fit(
        Autoencoder((128, 3), code=16, reconstruction="chamfer", **small), chairs[:200], steps=200, seed=0
    )
    model = LatentCloudModel(autoencoder, build({"name": "vae", "shape": [16], "code": 4, "widths": [32]}))
    fit(model, model.encode(chairs[:200]), steps=200, seed=0).eval()
    assert auroc(anomaly_score(model, tables), anomaly_score(model, chairs[200:])) > 0.9


def test_without_a_density_it_is_the_error_of_reconstruction() -> None:
    torch.manual_seed(0)
    model = Autoencoder((64, 3), code=4, encoder={"name": "pointnet", "widths": [8]}).eval()
    x = boxes(3, (1, 1, 1))
    with torch.no_grad():
        torch.testing.assert_close(anomaly_score(model, x), chamfer(model.decode(model.encode(x)), x))
    with pytest.raises(ValueError, match="must have a density, a bound on one, or codes that it decodes, GAN has none"):
        anomaly_score(build({"name": "gan", "shape": [3]}), torch.randn(4, 3))


def test_bad_ways_are_named() -> None:
    a = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"a, b: must be codes of one shape \(B, \*code\), got \(2, 3\) and \(3, 3\)"):
        interpolate(a, torch.zeros(3, 3), 4)
    with pytest.raises(ValueError, match="steps: must be at least 2, got 1"):
        interpolate(a, a, 1)
    with pytest.raises(ValueError, match=r"path: must be one of linear, spherical; got 'round'"):
        interpolate(a, a, 3, "round")
    assert math.isclose(float(interpolate(a, a + 1, 3)[0, 1, 0]), 0.5)


def test_principal_axes_are_the_singular_vectors_of_numpy() -> None:
    codes = torch.randn(30, 2, 3) @ torch.randn(3, 3) + 5  # sets of two tokens
    axes = principal_axes(codes, 3)
    rows = codes.flatten(1).double().numpy()
    left, sizes, right = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(axes.basis.numpy()), np.abs(right[:3].T), atol=1e-9)
    np.testing.assert_allclose(np.abs(axes.along(codes).numpy()), np.abs(left * sizes)[:, :3], atol=1e-9)
    np.testing.assert_allclose(axes.shares.numpy(), (sizes**2 / (sizes**2).sum())[:3], rtol=1e-9)
    largest = axes.basis.abs().argmax(0)
    assert bool((axes.basis[largest, torch.arange(3)] > 0).all())


def test_axes_of_codes_that_are_all_equal_show_nothing() -> None:
    axes = principal_axes(torch.ones(4, 3))
    assert axes.shares.tolist() == [0, 0] and axes.along(torch.ones(2, 3)).abs().max() == 0


@pytest.mark.parametrize(
    ("codes", "count", "told"),
    [
        (torch.ones(4, 3), 4, r"count: must be from 1 to 3, of \(4, 3\) codes, got 4"),
        (torch.tensor([[1.0, torch.nan], [0, 0]]), 1, r"codes: must be finite, 1 of 2 are not"),
    ],
)
def test_codes_without_such_axes_are_named(codes: torch.Tensor, count: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        principal_axes(codes, count)
