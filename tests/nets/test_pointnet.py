import pytest
import torch

from pcgen.nets import PointNet


def reference(net: PointNet, cloud: torch.Tensor) -> torch.Tensor:
    """The definition, point by point in float64, with the batch norms' running statistics."""
    codes = []
    for point in cloud.double():
        h = point
        for linear, norm in zip(net.linears, net.norms, strict=True):
            h = linear.weight.double() @ h
            h = (h - norm.running_mean.double()) / (norm.running_var.double() + norm.eps).sqrt()
            h = (h * norm.weight.double() + norm.bias.double()).clamp(min=0)
        codes.append(h)
    return torch.stack(codes).amax(dim=0)


def trained(code: int = 16) -> PointNet:
    """An encoder whose batch norms have seen data, so that none is the identity."""
    net = PointNet(code, widths=(8, 12))
    for norm in net.norms:
        torch.nn.init.uniform_(norm.weight, -1.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    for _ in range(20):
        net(torch.randn(8, 64, 3))
    return net.eval()


def test_is_the_maximum_of_a_perceptron_on_every_point():
    net, cloud = trained(), torch.randn(1, 50, 3)
    torch.testing.assert_close(net(cloud)[0].double(), reference(net, cloud[0]), atol=1e-5, rtol=1e-5)


def test_order_and_repetition_of_points_do_not_matter():
    net, cloud = trained(), torch.randn(2, 333, 3)
    shuffled = cloud[:, torch.randperm(333)]
    repeated = torch.cat([cloud, cloud[:, :100]], dim=1)
    torch.testing.assert_close(net(shuffled), net(cloud), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(net(repeated), net(cloud), atol=1e-6, rtol=1e-6)


def test_a_cloud_is_coded_alone_in_evaluation():
    net, clouds = trained(), torch.randn(5, 64, 3)
    torch.testing.assert_close(net(clouds)[3:4], net(clouds[3:4]), atol=1e-6, rtol=1e-6)


def test_gradient_is_right():
    net = trained(code=4).double()
    torch.autograd.gradcheck(net, torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True))


def test_non_contiguous_clouds():
    net, clouds = trained(), torch.randn(2, 3, 40)
    torch.testing.assert_close(net(clouds.transpose(1, 2)), net(clouds.transpose(1, 2).contiguous()))


def test_widths_are_checked():
    with pytest.raises(ValueError, match="code, widths, channels: must be at least 1, got 0"):
        PointNet(0)
