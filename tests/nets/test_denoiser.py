from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pcgen.nets.attention import Attention
from pcgen.nets.denoiser import NETWORKS, Denoiser
from pcgen.nets.trunks import MemberAttention, Residual, TokenAttention


def stirred(**options: Any) -> Denoiser:
    """A network of sets whose zeros are gone, so that its output depends on all that it is given."""
    model = Denoiser((6, 4), width=16, blocks=2, context=3, tokens=5, **options)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("network", NETWORKS)
def test_the_output_starts_at_zero_and_a_gradient_leaves_it(network: str) -> None:
    model = Denoiser((6, 4), width=16, blocks=2, network=network)
    x, time = torch.randn(3, 6, 4), torch.rand(3)
    out = model(x, time, torch.empty(3, 0))
    assert torch.equal(out, torch.zeros_like(x))
    (out - x).square().mean().backward()
    assert model.leave.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(5,), (6, 4)])
def test_it_gives_as_many_numbers_as_it_is_asked_for(shape: tuple[int, ...]) -> None:
    x, time, none = torch.randn(3, *shape), torch.rand(3), torch.empty(3, 0)
    assert Denoiser(shape, width=16, blocks=1)(x, time, none).shape == x.shape
    assert Denoiser(shape, width=16, blocks=1, outputs=7)(x, time, none).shape == (*x.shape[:-1], 7)


@pytest.mark.parametrize(
    ("shape", "trunk"), [((5,), Residual), ((64, 3), MemberAttention), ((65, 3), Residual), ((2048, 3), Residual)]
)
def test_few_members_look_at_each_other_unless_told_otherwise(shape: tuple[int, ...], trunk: type[nn.Module]) -> None:
    assert type(Denoiser(shape, width=16, blocks=1).trunk) is trunk
    for network, told in (("pooled", Residual), ("attention", MemberAttention), ("tokens", TokenAttention)):
        assert type(Denoiser(shape, 16, 1, network=network).trunk) is (told if len(shape) == 2 else Residual)


@pytest.mark.parametrize("network", NETWORKS)
def test_dropout_is_of_training_alone(network: str) -> None:
    model = stirred(network=network, dropout=0.5)
    given = torch.randn(3, 6, 4), torch.rand(3), torch.randn(3, 3)
    assert not torch.equal(model(*given), model(*given))
    model.eval()
    assert torch.equal(model(*given), model(*given))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_context_counts_from_the_second_update_on(network: str) -> None:
    model = Denoiser((6, 4), width=16, blocks=2, context=2, network=network)
    x, time, context = torch.randn(3, 6, 4), torch.rand(3), torch.randn(3, 2)
    (model(x, time, context) - x).square().mean().backward()
    with torch.no_grad():
        model.leave.weight -= model.leave.weight.grad
        assert (model(x, time, context) - model(x, time, -context)).abs().max() > 1e-4


@pytest.mark.parametrize("network", NETWORKS)
def test_permuting_the_members_permutes_the_output(network: str) -> None:
    model, x, order = stirred(network=network).double(), torch.randn(3, 6, 4).double(), torch.randperm(6)
    time, context = torch.rand(3).double(), torch.randn(3, 3).double()
    torch.testing.assert_close(model(x[:, order], time, context), model(x, time, context)[:, order])


@pytest.mark.parametrize("network", NETWORKS)
def test_every_member_sees_every_other_the_time_and_the_context(network: str) -> None:
    model, x = stirred(network=network), torch.randn(1, 6, 4, requires_grad=True)
    time, context = torch.rand(1, requires_grad=True), torch.randn(1, 3, requires_grad=True)
    seen = torch.autograd.grad(model(x, time, context)[0, 0].sum(), [x, time, context])
    assert (seen[1] != 0).all() and (seen[2] != 0).all()
    if network != "pooled":  # of which each hidden number sees one other member alone, the greatest
        assert (seen[0].abs().sum(dim=2) > 0).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_rows_do_not_depend_on_each_other(network: str) -> None:
    model, x, time, context = stirred(network=network), torch.randn(3, 6, 4), torch.rand(3), torch.randn(3, 3)
    torch.testing.assert_close(model(x[1:2], time[1:2], context[1:2]), model(x, time, context)[1:2])


def flops(network: str, members: int) -> int:
    with torch.device("meta"):  # where attention is counted; no kernel runs
        model = Denoiser((members, 3), width=64, blocks=2, network=network, tokens=16)
        x, time, context = torch.empty(2, members, 3), torch.empty(2), torch.empty(2, 0)
    with FlopCounterMode(display=False) as counter:
        model(x, time, context)
    return counter.get_total_flops()


@pytest.mark.parametrize(("network", "linear"), [("tokens", True), ("pooled", True), ("attention", False)])
def test_the_cost_of_a_member_among_many_is_that_among_few_unless_each_looks_at_each(
    network: str, linear: bool
) -> None:
    few, more, many = (flops(network, members) for members in (1024, 2048, 4096))
    if linear:
        assert many - more == 2 * (more - few)
    else:
        assert many - more > 3 * (more - few)


def test_members_look_at_tokens_and_tokens_at_members_but_no_member_at_all_others() -> None:
    seen: list[tuple[int, int]] = []

    def note(module: Attention, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        seen.append((inputs[0].shape[1], inputs[1].shape[1]))

    model = Denoiser((100, 3), width=16, blocks=2, network="tokens", tokens=5)
    for module in model.modules():
        if isinstance(module, Attention):
            module.register_forward_hook(note)
    model(torch.randn(1, 100, 3), torch.rand(1), torch.empty(1, 0))
    assert seen == [(5, 100), (5, 5), (100, 5)] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "max"}, "network: must be one of pooled, attention, tokens; got 'max'"),
        ({"network": "tokens", "tokens": 0}, "tokens: must be at least 1, got 0"),
        ({"network": "attention", "heads": 3}, "heads: must divide the width, 16, got 3"),
        ({"blocks": 0}, "blocks: must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Denoiser((6, 4), **({"width": 16, "blocks": 2} | options))
