"""Completion: the one-sided distance, the choice and the descent by their definitions; what it is better than."""

from functools import cache

import pytest
import torch
from torch import Tensor

from pcgen.data import Augmentation
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.completion import (
    _choose,
    _complete,
    _descend,
    _draw,
    complete,
    filled,
    fit_distance,
)
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.variational.vae import VAE
from pcgen.ops import chamfer, chamfer_matrix, emd, nearest_means
from pcgen.training import fit

POINTS = 64
SMALL = {"encoder": {"name": "pointnet", "widths": [32, 64]}, "decoder": {"name": "fully_connected", "widths": [64]}}


def boxes(count: int, points: int = POINTS, generator: torch.Generator | None = None) -> Tensor:
    """Points on a grid of each of two faces, top and bottom, of boxes of random sides, (count, points, 3)."""
    sides = 0.3 + torch.rand(count, 1, 3, generator=generator)
    return (torch.rand(count, points, 3, generator=generator) - 0.5) * sides


@cache
def pair() -> tuple[LatentCloudModel, Tensor]:
    """A trained autoencoder and Gaussian of boxes, with the boxes that they learned."""
    torch.manual_seed(0)
    train = boxes(300)
    autoencoder = Autoencoder((POINTS, 3), code=8, reconstruction="chamfer", lr=3e-3, **SMALL)
    fit(autoencoder, train, steps=250, batch_size=32)
    model = LatentCloudModel(autoencoder, Gaussian((8,), covariance="full"))
    fit(model, model.encode(train))
    return model, train


def half(whole: Tensor) -> Tensor:
    """The half of the points of each cloud that is lowest in x and y together: of all three sides something is seen."""
    rows = (whole[..., 0] + whole[..., 1]).argsort(1)[:, : whole.shape[1] // 2]
    return whole.gather(1, rows[..., None].expand(-1, -1, 3))


def test_the_distance_is_one_sided_and_its_gradient_that_of_its_definition() -> None:
    partial, clouds = torch.rand(7, 3, dtype=torch.float64), torch.rand(3, 11, 3, dtype=torch.float64)
    clouds.requires_grad_()
    distance = fit_distance(partial, clouds)
    expected = (partial[None, :, None] - clouds[:, None]).square().sum(3).amin(2).mean(1)
    torch.testing.assert_close(distance, expected)
    found, wanted = (torch.autograd.grad(each.sum(), clouds)[0] for each in (distance, expected))
    torch.testing.assert_close(found, wanted)
    inside = torch.cat([clouds.detach(), partial.expand(3, -1, -1)], 1)
    assert not fit_distance(partial, inside).any()  # what the partial cloud lacks costs nothing


def test_the_best_is_chosen_and_then_those_that_differ() -> None:
    fits = torch.tensor([0.5, 0.1, 0.2, 0.3, 0.4, 0.05])
    codes = torch.tensor([[9.0], [0.1], [5.0], [0.2], [1.0], [0.0]])
    # The best four are rows 5, 1, 2, 3; from 5 the farthest is 2.
    assert _choose(fits, codes, 2).tolist() == [5, 2]
    assert _choose(fits, codes, 1).tolist() == [5]
    assert sorted(_choose(fits, codes, 6).tolist()) == list(range(6))
    assert len(set(_choose(torch.rand(9), torch.zeros(9, 2), 4).tolist())) == 4


def test_the_descent_comes_nearer_and_stays_likely_and_leaves_the_weights_alone() -> None:
    model, _ = pair()
    torch.manual_seed(1)
    partial = half(boxes(1))[0]
    codes = _draw(model, 200, None)
    fits = fit_distance(partial, model.decode(codes))
    mean, deviation = codes.mean(0), codes.std(0)
    start = codes[fits.topk(3, largest=False).indices]
    likely = (start - mean) / deviation
    unit = float(fits.min())
    model.autoencoder.zero_grad()
    found = _descend(model, partial, start, likely, deviation, unit, 60)
    assert (fit_distance(partial, model.decode(found)) < fit_distance(partial, model.decode(start))).all()
    assert ((found - mean) / deviation).square().mean() < 2 * likely.square().mean() + 1
    assert torch.equal(_descend(model, partial, start, likely, deviation, unit, 0), start)
    assert all(weight.grad is None and weight.requires_grad for weight in model.autoencoder.parameters())


def test_completions_hold_the_partial_cloud_and_points_of_the_decoded_one_far_from_it() -> None:
    model, _ = pair()
    torch.manual_seed(2)
    partial = half(boxes(1))[0][:12]  # sparser than what is decoded
    codes = _draw(model, 100, None)
    torch.manual_seed(5)
    found, new = _complete(model, partial, codes, model.decode(codes), 3, 0)
    assert 0 < new < POINTS
    fits = fit_distance(partial, model.decode(codes))
    decoded = model.decode(codes[_choose(fits, (codes - codes.mean(0)) / codes.std(0, correction=0), 3)])
    for cloud, whole in zip(found, decoded, strict=True):
        assert torch.equal(cloud[:12], partial)
        order = torch.cdist(whole, partial).amin(1).argsort(descending=True)[: POINTS - 12]
        expected = {tuple(point) for point in whole[order].tolist()}
        assert {tuple(point) for point in cloud[12:].tolist()} == expected


def test_a_dense_partial_cloud_is_thinned_to_the_share_that_it_shows() -> None:
    """A square of 16 x 16 points, of whose left half 3000 points are given: half the output is theirs, and a column."""
    axis = torch.arange(16.0)
    square = torch.cartesian_prod(axis, axis, torch.zeros(1))
    partial = torch.rand(3000, 3) * torch.tensor([8.0, 16.0, 0.0]) - 0.5  # x to 7.5, half way between two columns
    (cloud,), seen = filled(partial, square[None]), 9 * 16  # columns 0 to 7, and that at 8, half a spacing beyond
    assert len(cloud) == 256 and torch.equal(cloud[:, 0] >= 9, torch.arange(256) >= seen)
    kept = cloud[:seen]
    assert (torch.cdist(kept, partial, compute_mode="donot_use_mm_for_euclid_dist").amin(1) == 0).all()
    assert torch.cdist(partial, kept).amin(1).max() < 1  # they cover all that was given


def test_completions_are_nearer_than_the_nearest_training_cloud_and_the_code_of_the_part() -> None:
    model, train = pair()
    torch.manual_seed(4)
    whole = boxes(40)
    partial = half(whole)
    found = complete(model, partial, 3)
    best, mean = (
        (f := torch.stack([chamfer(found[:, i].contiguous(), whole) for i in range(3)], 1)).amin(1),
        f.mean(1),
    )
    nearest = train[nearest_means(partial, train, squared=True)[0].argmin(1)]
    copied, naive = chamfer(nearest, whole).mean(), chamfer(model.decode(model.encode(partial)), whole).mean()
    assert best.mean() < mean.mean() < copied < naive
    assert emd(found[:, 0].contiguous(), whole).mean() < 0.8 * emd(nearest, whole).mean()
    apart = torch.stack(
        [chamfer(found[:, i].contiguous(), found[:, j].contiguous()) for i, j in ((0, 1), (0, 2), (1, 2))]
    )
    assert (apart > 0).all()


def test_missing_points_are_filled_in_better_than_by_the_mean_shape() -> None:
    """The mean shapes: the cloud of the mean code, and the training cloud that is nearest to all others on average."""
    model, train = pair()
    torch.manual_seed(7)
    whole = boxes(30)
    partial = half(whole)
    found = chamfer(complete(model, partial, 1)[:, 0].contiguous(), whole).mean()
    of_mean_code = model.decode(model.encode(train).mean(0, keepdim=True))
    for mean in (of_mean_code, train[chamfer_matrix(train, train).mean(1).argmin()][None]):
        same = torch.cat([filled(cloud, mean) for cloud in partial])  # by the same rule as completions are
        assert found < 0.8 * chamfer(same, whole).mean()


def test_a_seed_repeats_completions_and_sizes_may_differ() -> None:
    model, _ = pair()
    partial = list(half(boxes(2)))
    partial[1] = partial[1][:9]
    told: list[tuple[int, int]] = []
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(complete(model, partial, 2, candidates=50, steps=5, progress=lambda *at: told.append(at)))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert drawn[0].shape == (2, 2, POINTS, 3) and told[:2] == [(1, 2), (2, 2)]
    assert torch.equal(drawn[0][1, :, :9], partial[1].expand(2, 9, 3))


def test_labels_choose_the_class_that_is_searched() -> None:
    small, large = boxes(100) / 4, boxes(100) + torch.tensor([2.0, 0, 0])
    autoencoder = Autoencoder((POINTS, 3), code=4, reconstruction="chamfer", lr=3e-3, **SMALL)
    clouds, labels = torch.cat([small, large]), torch.arange(200) // 100
    fit(autoencoder, clouds, steps=150, batch_size=32, augment=Augmentation())
    model = LatentCloudModel(autoencoder, VAE((4,), code=2, widths=(), classes=("small", "large")))
    fit(model, model.encode(clouds), labels=labels, steps=1)
    partial = torch.zeros(2, 3, 3)
    found = complete(model, partial, 1, labels=torch.tensor([1, 0]), candidates=50, steps=0)
    middle = found[:, 0, 3:].mean(1)[:, 0]
    assert middle[0] > 1 and middle[1].abs() < 0.5
    with pytest.raises(ValueError, match=r"labels: must be one for each of 2 partial clouds, got shape \(3,\)"):
        complete(model, partial, 1, labels=torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="labels: this Gaussian takes none"):
        complete(pair()[0], partial, 1, labels=torch.zeros(2, dtype=torch.int64))


def test_what_cannot_be_completed_is_told() -> None:
    model, train = pair()
    some = half(train[:2])
    broken = some.clone()
    broken[1, 3, 0] = torch.nan
    for partial, n, message in (
        ([some[0], some[0][:0]], 1, "partial: cloud 1 is empty; leave it out"),
        (broken, 1, "partial: cloud 1 has 1 points of NaN or infinity; leave them out"),
        (some[..., :2], 1, r"partial: must be clouds \(S, P, 3\) or tensors \(P, 3\), cloud 0 is \(32, 2\)"),
        (some[0], 1, r"partial: must be clouds \(S, P, 3\) or tensors \(P, 3\), cloud 0 is \(3,\)"),
        ([], 1, "partial clouds: must be at least 1, got 0"),
        (some, 0, "n: must be at least 1, got 0"),
        (some, 51, "candidates: must be at least 51, got 50"),
    ):
        with pytest.raises(ValueError, match=message):
            complete(model, partial, n, candidates=50, steps=1)
    with pytest.raises(ValueError, match="model: must be an autoencoder with a head on its codes, got Autoencoder"):
        complete(model.autoencoder, some)


def test_a_whole_cloud_is_told() -> None:
    model, _ = pair()
    whole = model.sample(1, even=True)
    with pytest.raises(ValueError, match=r"partial: whole already: cloud 0 \(of 64 points, \d of the model's lie"):
        complete(model, whole, 2)
    three = torch.cat([whole, whole, whole])
    several = [three[0], half(three)[1], three[2]]
    with pytest.raises(ValueError, match=r"whole already: a \(of 64 points.*\), c \(of 64 points"):  # all are named
        complete(model, several, 2, names=["a", "b", "c"])
    assert complete(model, half(whole), 2).shape == (1, 2, POINTS, 3)
    assert complete(model, whole[:, :40], 2).shape == (1, 2, POINTS, 3)  # all over the cloud, but few
