"""The gradient step: all of its groups or none."""

import math

import pytest
import torch

from pcgen.optim import descend


def test_no_group_is_clipped_when_another_has_a_gradient_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [each], "clip": 0.1} for each in weights], lr=1.0)
    clipped = []
    monkeypatch.setattr(torch.nn.utils, "clip_grads_with_norm_", lambda *given: clipped.append(given))
    weights[1].register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(FloatingPointError, match=r"loss 6 with gradient norm 1\.73205, nan"):
        descend(weights[0].sum() + weights[1].sum(), optimizer)
    assert clipped == []
    assert all(each.grad is None and torch.equal(each, torch.ones(3)) for each in weights)


def test_every_group_is_clipped_to_its_own_norm() -> None:
    weights = [torch.nn.Parameter(torch.zeros(4)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [{"params": [each], "clip": clip} for each, clip in zip(weights, (1, 9), strict=True)], lr=1.0
    )
    descend(weights[0].sum() + 2 * weights[1].sum(), optimizer)  # norms 2 and 4
    torch.testing.assert_close(weights[0].detach(), torch.full((4,), -0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(weights[1].detach(), torch.full((4,), -2.0), atol=1e-5, rtol=0)
