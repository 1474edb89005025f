"""Attention permutes as it says, and is what its formula says."""

import pytest
import torch

from pcgen.nets.attention import Attention, AttentionBlock


def test_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    attention = Attention(6, 2, context=4).double()
    x, context = torch.randn(2, 5, 6, dtype=torch.float64), torch.randn(2, 7, 4, dtype=torch.float64)
    query, (key, value) = attention.query(x), attention.key_value(context).chunk(2, -1)
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        weights = (query[..., head] @ key[..., head].transpose(1, 2) / 3**0.5).softmax(-1)
        heads.append(weights @ value[..., head])
    torch.testing.assert_close(attention(x, context), attention.out(torch.cat(heads, -1)))


@pytest.mark.parametrize(("context", "condition"), [(None, 0), (None, 3), (5, 0), (5, 3)])
def test_a_block_permutes_with_its_members_and_not_with_the_context(context: int | None, condition: int) -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, 2, context, condition)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x, known = torch.randn(3, 6, 8), torch.randn(3, condition) if condition else None
    seen = None if context is None else torch.randn(3, 9, context)
    out, order = block(x, seen, known), torch.randperm(6)
    torch.testing.assert_close(block(x[:, order], seen, known), out[:, order], rtol=1e-4, atol=1e-4)
    if seen is not None:
        torch.testing.assert_close(block(x, seen[:, torch.randperm(9)], known), out, rtol=1e-4, atol=1e-4)
    assert (out - x).abs().max() > 0.1


def test_a_conditioned_block_begins_as_the_identity() -> None:
    x = torch.randn(2, 4, 8)
    assert torch.equal(AttentionBlock(8, 2, condition=3)(x, None, torch.randn(2, 3)), x)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="heads: must divide the width, 8, got 3"):
        Attention(8, 3)
