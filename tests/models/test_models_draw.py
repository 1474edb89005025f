from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from pcgen import ops
from pcgen.models.base import Batch
from pcgen.models.scenes.draw import DRAW

CONTRACT = {"draw": {"steps": 2, "hidden": 16, "code": 3}}


def boxes(n: int) -> Tensor:
    """Surfaces of ellipsoids of random axes, two of them in each cloud, somewhere, (n, 32, 3)."""
    directions = torch.nn.functional.normalize(torch.randn(n, 2, 16, 3), dim=3)
    return (directions * (0.1 + 0.2 * torch.rand(n, 2, 1, 3)) + torch.rand(n, 2, 1, 3) - 0.5).flatten(1, 2)


def test_the_divergence_is_that_of_every_step() -> None:
    """A posterior that is the same in all five steps diverges five times."""
    model = DRAW((16, 3), steps=5, hidden=16, code=3)
    mean, log_variance = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([0.1, -1.0, -3.0])
    with torch.no_grad():
        model.infer.weight.zero_()
        model.infer.bias.copy_(torch.cat([mean, log_variance]))
    one = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(3), torch.ones(3))).sum()
    divergence = model.unrolled(torch.randn(4, 16, 3), sampled=True)[2]
    torch.testing.assert_close(divergence, (5 * one).expand(4))


def test_codes_do_not_depend_on_the_order_of_points() -> None:
    model, x = DRAW((32, 3), steps=3, hidden=16, code=3), boxes(4)
    torch.testing.assert_close(model.encode(x[:, torch.randperm(32)]), model.encode(x), atol=1e-5, rtol=1e-5)


def test_each_step_adds_a_patch_in_its_window() -> None:
    model = DRAW((32, 3), steps=3, hidden=16, code=3)
    canvases = model.canvases(torch.randn(4, 3, 3))
    assert [each.shape[1] for each in canvases] == [32 - 3 * 5, 22, 27, 32]
    for before, after in pairwise(canvases):
        torch.testing.assert_close(after[:, : before.shape[1]], before)
    with torch.no_grad():
        model.window.weight.zero_()
        model.window.bias.copy_(torch.tensor([1.0, 2.0, 3.0, -20.0]))
    patches = model.decode(torch.randn(4, 3, 3))[:, -15:]
    torch.testing.assert_close(patches, torch.tensor([1.0, 2.0, 3.0]).expand_as(patches))


def test_there_are_points_for_every_step() -> None:
    with pytest.raises(ValueError, match=r"points: must be at least 12, got 11"):
        DRAW((11, 3))


def test_the_canvas_comes_nearer_to_the_cloud_with_each_step_as_its_codes_say(measured: Callable[..., None]) -> None:
    model = DRAW((32, 3), steps=2, hidden=64, code=6, scale=0.05, lr=4e-3)
    x, held_out = boxes(2000), boxes(100)
    model.setup(Batch(x))
    for _ in range(400):
        model.update(Batch(x[torch.randint(len(x), (32,))]))
    with torch.no_grad():
        codes = model.encode(held_out)
        errors = [float(ops.chamfer(each.contiguous(), held_out).mean()) for each in model.canvases(codes)]
        strange = float(ops.chamfer(model.decode(codes.roll(1, 0)), held_out).mean())
    measured("share of the error of another cloud's codes that is left with its own", errors[-1] / strange, "below .5")
    assert errors[0] > errors[1] > errors[2]
    assert errors[-1] < 0.5 * strange
