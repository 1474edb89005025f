import pytest
import torch

from pcgen.nets.tnet import TNet, TransformedPointNet, orthogonality


def test_a_tnet_is_the_identity_at_first_and_learns():
    net = TNet(3)
    x = torch.randn(4, 20, 3)
    torch.testing.assert_close(net(x), torch.eye(3).expand(4, 3, 3))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    goal = torch.linalg.qr(torch.randn(3, 3)).Q
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (net(x) - goal).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10


def test_orthogonality_is_the_frobenius_norm_squared():
    turns = torch.linalg.qr(torch.randn(5, 4, 4)).Q
    assert float(orthogonality(turns)) == pytest.approx(0, abs=1e-9)
    # I - (2 I)(2 I)^T = -3 I, of squared norm 9 in each of 4 rows.
    assert float(orthogonality(2 * torch.eye(4).expand(3, 4, 4))) == pytest.approx(36)
    some = torch.randn(6, 4, 4)
    expected = torch.stack([torch.linalg.matrix_norm(torch.eye(4) - a @ a.T) ** 2 for a in some]).mean()
    assert float(orthogonality(some)) == pytest.approx(float(expected), rel=1e-5)


def test_the_matrices_turn_points_and_features():
    """With T-Nets set to constant matrices, the net is that of turned points and features."""
    net, x = TransformedPointNet(16).eval(), torch.randn(3, 30, 3)
    turn, mix = torch.linalg.qr(torch.randn(3, 3)).Q, torch.randn(64, 64) / 8
    for transform, matrix in ((net.input_transform, turn), (net.feature_transform, mix)):
        last = transform.head[-1]
        torch.nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_((matrix - torch.eye(len(matrix))).flatten())
    code, transforms = net(x)
    torch.testing.assert_close(transforms, mix.expand(3, 64, 64))
    points = torch.stack([torch.stack([turn @ point for point in cloud]) for cloud in x])
    first = net.first(points.flatten(0, 1)).view(3, 30, 64)
    mixed = torch.stack([torch.stack([mix @ feature for feature in cloud]) for cloud in first])
    torch.testing.assert_close(code, net.encoder(mixed), atol=1e-5, rtol=1e-4)


def test_order_of_points_does_not_matter():
    net, x = TransformedPointNet(16).eval(), torch.randn(3, 30, 3)
    one, other = net(x), net(x[:, torch.randperm(30)])
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
