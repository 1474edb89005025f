"""Clouds as sets of tokens: what does not depend on an order does not, and the chosen points are the greedy ones."""

import numpy as np
import pytest
import torch

from pcgen.nets.tokens import QueriedPoints, TokenEncoder, spread_points

TOKENS, WIDTH, HEADS, FEATURES = 6, 16, 2, 8


def test_spread_points_are_the_greedy_choice_from_the_one_farthest_from_the_centroid() -> None:
    cloud = torch.randn(40, 3)
    rows = cloud.double().numpy()
    chosen = [int(((rows - rows.mean(0)) ** 2).sum(1).argmax())]
    for _ in range(9):
        chosen.append(int(np.min([((rows - rows[i]) ** 2).sum(1) for i in chosen], 0).argmax()))
    assert torch.equal(spread_points(cloud[None], 10)[0], cloud[chosen])
    assert torch.equal(spread_points(cloud[None, torch.randperm(40)], 10)[0], cloud[chosen])


def test_a_token_for_more_points_than_there_are_is_refused() -> None:
    assert spread_points(torch.randn(2, 7, 3), 7).shape == (2, 7, 3)
    with pytest.raises(ValueError, match="tokens: must be at most the points of a cloud, 7, got 8"):
        spread_points(torch.randn(2, 7, 3), 8)


def test_tokens_do_not_depend_on_the_order_of_points_and_each_sees_the_whole_cloud() -> None:
    encoder, clouds = TokenEncoder(TOKENS, WIDTH, HEADS, FEATURES), torch.randn(3, 50, 3)
    tokens = encoder(clouds)
    assert tokens.shape == (3, TOKENS, WIDTH)
    torch.testing.assert_close(encoder(clouds[:, torch.randperm(50)]), tokens, rtol=1e-5, atol=1e-5)
    chosen = spread_points(clouds, TOKENS)
    other = next(i for i in range(50) if not (chosen[0] == clouds[0, i]).all(1).any())
    moved = clouds.clone()
    moved[0, other] *= 0.9  # a point that became no token
    assert ((encoder(moved)[0] - tokens[0]).abs().amax(1) > 0).all()


def test_a_cloud_does_not_depend_on_the_order_of_tokens() -> None:
    decoder, tokens = QueriedPoints(24, WIDTH, HEADS, FEATURES), torch.randn(3, TOKENS, WIDTH)
    clouds = decoder(tokens)
    assert clouds.shape == (3, 24, 3)
    torch.testing.assert_close(decoder(tokens[:, torch.randperm(TOKENS)]), clouds, rtol=1e-5, atol=1e-5)
    assert (clouds - decoder(tokens.roll(1, 0))).norm(dim=2).mean(1).min() > 1e-3  # a cloud is of its own tokens
