import math
from collections.abc import Callable

import pytest
import torch
from counted import POINTS, learned, right, scenes, with_counts
from torch import Tensor

from pcgen.data.boxes import count_boxes
from pcgen.models.base import Batch
from pcgen.models.scenes.air import AIR
from pcgen.models.scenes.densities import Background, log_mixture, object_density
from pcgen.models.scenes.inferred import Inferred

CONTRACT = {"air": {"steps": 2, "hidden": 16, "code": 3, "background": 4, "grid": 4}}


def lattice(reach: float, side: int) -> tuple[Tensor, float]:
    """Points of a cube (1, side^3, 3), and the volume that each stands for."""
    axis = (torch.arange(side) + 0.5) * 2 * reach / side - reach
    return torch.cartesian_prod(axis, axis, axis)[None], (2 * reach / side) ** 3


@torch.no_grad()
def test_densities_of_every_count_integrate_to_one() -> None:
    u, volume = lattice(4.0, 64)
    background = Background(5)
    made = torch.randn(2, 6, 3) / 2
    objects = torch.stack(
        [object_density(u, one[None], torch.tensor([[scale]])) for one, scale in zip(made, (-1.2, -0.5), strict=True)]
    )
    mixtures = log_mixture(background.log_prob(u), objects, torch.tensor(0.3).log())
    for density in (background.log_prob(u), *objects, *mixtures):
        assert float(density.exp().sum() * volume) == pytest.approx(1, abs=0.01)


def test_counts_are_chains_of_presence() -> None:
    model = AIR((8, 3), **CONTRACT["air"])
    found = model.infer(torch.randn(5, 8, 3))
    q, p = found.log_count.exp(), found.log_odds.sigmoid()
    torch.testing.assert_close(q, torch.stack([1 - p[0], p[0] * (1 - p[1]), p[0] * p[1]]))


def test_the_loss_is_a_bound_on_the_likelihood(measured: Callable[..., None]) -> None:
    """Of scenes of four points, whose likelihood is the mean over draws of the prior."""
    model = AIR((4, 3), **CONTRACT["air"], presence=0.5)
    x = torch.randn(6, 4, 3)
    model.setup(Batch(x))
    for _ in range(100):
        model.update(Batch(x, progress=0.9))
    model.eval()
    draws, u = 20_000, model.frame.enter(x)
    with torch.no_grad():
        bound = torch.stack([model.log_prob_bound(x) for _ in range(50)]).mean()
        mean, log_scale = model.where_prior
        where = mean + log_scale.exp() * torch.randn(2, draws, 4)
        made = [model.placed(torch.randn(draws, 3), each) for each in where]
        exact = []
        for scene in u:
            points = scene.expand(draws, 4, 3)
            scales = [each[:, 3:] + model.log_spread for each in where]
            objects = torch.stack([object_density(points, m, s) for m, s in zip(made, scales, strict=True)])
            given = log_mixture(model.background.log_prob(points), objects, model.log_share).sum(2)  # (3, draws)
            counts = torch.tensor([1.0, 0.5, 0.25]) / 1.75
            exact.append((given + counts.log()[:, None]).flatten().logsumexp(0) - math.log(draws))
        likelihood = float(torch.stack(exact).mean() - 12 * model.frame.unit.log())
    measured("log-likelihood less the bound, nats", likelihood - float(bound), "above 0")
    assert likelihood - 10 < float(bound) < likelihood


def test_scenes_are_drawn_with_the_shares_and_counts_of_the_model() -> None:
    model = AIR((500, 3), **CONTRACT["air"])
    with torch.no_grad():
        model.where_prior.copy_(torch.tensor([[0.0, 50.0, 0.0, -1.0], [-3.0, -3.0, -3.0, -3.0]]))
    model.counts.copy_(torch.tensor([0.5, 0.0, 0.5]))
    far = (model.sample(400)[..., 1] > 25).float().mean(1)  # of objects, high above all else
    assert float((far == 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert float(far[far > 0].mean()) == pytest.approx(2 * float(model.log_share.detach().exp()), abs=0.01)


def test_codes_list_the_objects_that_are_there_by_x() -> None:
    """Two scenes of three steps: two objects and one; what is not there stays last, wherever it would be."""
    log_odds = torch.tensor([[5.0, 5.0], [5.0, -5.0], [-5.0, 5.0]])
    where, what = torch.zeros(3, 2, 4), torch.arange(3.0)[:, None, None].expand(3, 2, 1)
    where[..., 0] = torch.tensor([[0.3, 0.9], [-0.2, -0.5], [-9.0, -0.7]])
    none = torch.zeros(3, 2)
    codes = Inferred(log_odds, where, what, none, torch.zeros(3, 2, 4), torch.zeros(2, 4)).codes
    assert codes[0, :, 5].tolist() == [1, 0, 2] and codes[1, :, 5].tolist() == [0, 1, 2]
    torch.testing.assert_close(codes[0, :, 1], torch.tensor([-0.2, 0.3, -9.0]))
    assert (codes[..., 0].diff(dim=1) <= 0).all()  # the probabilities stay those of counts


def test_codes_tell_what_is_there_and_decode_to_it() -> None:
    model = AIR((4000, 3), **CONTRACT["air"])
    x = torch.randn(5, 64, 3)
    codes, q = model.encode(x), model.infer(model.frame.enter(x), sampled=False).log_count.exp()
    assert codes.shape == (5, *model.code_shape) == (5, 2, 5 + 3)
    torch.testing.assert_close(codes[..., 0].T, torch.stack([1 - q[0], q[2]]))
    codes[..., 2] = 50.0  # every object is high above all else
    for there, objects in (((0.2, 0.1), 0), ((0.9, 0.3), 1), ((0.9, 0.8), 2)):
        codes[..., 0] = torch.tensor(there)
        above = (model.decode(codes)[..., 1] > 25).float().mean()
        assert float(above) == pytest.approx(objects * float(model.log_share.detach().exp()), abs=0.01)


def test_there_are_as_many_boxes_as_counted() -> None:
    model, x = AIR((64, 3), **CONTRACT["air"]), torch.randn(20, 64, 3)
    with torch.no_grad():  # sure of each object, and of half of them that it is not there
        model.locate[-1].weight[-1] *= 100
        model.locate[-1].bias[-1] -= model.infer(model.frame.enter(x), sampled=False).log_odds.median()
    counts = model.count(x)
    assert len(counts.unique()) > 1
    assert torch.equal(count_boxes(model.boxes(x)), counts)


def test_shapes_are_found_and_counted(measured: Callable[..., None]) -> None:
    model = learned(AIR, (0, 1, 2, 3), updates=400)
    held_out = with_counts(scenes(), (0, 1, 2, 3))
    held_out = held_out.select([row for row, split in enumerate(held_out.splits or ()) if split != "train"])
    share = float(right(model, held_out).mean())
    assert held_out.boxes is not None and held_out.counts is not None
    truth = held_out.boxes[..., :3].nan_to_num(1e3)
    boxes = model.boxes(held_out.points[:, :POINTS])[..., :3].nan_to_num(-1e3)
    near, by_chance = (
        float((torch.cdist(truth, each).amin(2) < 0.1).sum() / held_out.counts.sum())
        for each in (boxes, boxes.roll(1, 0))
    )
    measured("share of held-out scenes of 0 to 3 shapes whose count is right, T = 3", share, "at least .9")
    measured("share of their shapes with a box within a tenth of the floor's side", near, f"by chance {by_chance:.2f}")
    assert share >= 0.9
    assert near > 0.7 > 3 * by_chance


def test_the_background_is_drawn_from_the_density_that_it_has() -> None:
    background = Background(1)
    with torch.no_grad():
        background.log_scales.copy_(torch.tensor([[-1.0, -9.0, 0.0]]))  # the floor of a scene, learned to be thin
        background.means.zero_()
        found = background.draw(1, 20_000)[0]
        line = torch.linspace(-0.1, 0.1, 4001)
        at = torch.stack([torch.zeros(4001), line, torch.zeros(4001)], dim=1)
        weight = background.log_prob(at[None])[0].exp()
    assert found[:, 1].square().mean().sqrt() == pytest.approx(
        float((weight * line**2).sum() / weight.sum()) ** 0.5, rel=0.03
    )
