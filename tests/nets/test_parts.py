import pytest
import torch
from torch import nn

from pcgen.nets import MLP, FullyConnected, PointNet
from pcgen.nets.parts import DECODERS, ENCODERS, build_part


def test_a_part_by_name_by_arguments_and_as_a_module():
    assert isinstance(build_part("pointnet", ENCODERS, "encoder", code=7), PointNet)
    narrow = build_part({"name": "fully_connected", "widths": [5]}, DECODERS, "decoder", code=7, points=11)
    assert [layer.out_features for layer in narrow.modules() if isinstance(layer, nn.Linear)] == [5, 33]
    own = nn.Identity()
    assert build_part(own, ENCODERS, "encoder", code=7) is own


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("pointnt", r"encoder: must be one of pointnet; got 'pointnt'; did you mean 'pointnet'\?"),
        ({"widths": [3]}, "encoder: must be one of pointnet; got 'None'"),
        ({"name": "pointnet", "width": [3]}, r"encoder pointnet: argument: .* got 'width'; did you mean 'widths'\?"),
        ({"name": "pointnet", "code": 3}, "encoder pointnet: argument: .* got 'code'"),
    ],
)
def test_wrong_parts_name_the_right_ones(part, message):
    with pytest.raises(ValueError, match=message):
        build_part(part, ENCODERS, "encoder", code=7)


def test_decoder_writes_every_coordinate():
    decoder = FullyConnected(4, 9, widths=(6,))
    assert decoder(torch.randn(5, 4)).shape == (5, 9, 3)
    assert sum(p.numel() for p in decoder.parameters()) == (4 + 1) * 6 + 2 * 6 + (6 + 1) * 27  # with the layer norm's
    paper = FullyConnected(4, 9, widths=(6,), norm=None)
    assert sum(p.numel() for p in paper.parameters()) == (4 + 1) * 6 + (6 + 1) * 27


def test_mlp_layers_stand_in_order():
    kinds = [type(layer).__name__ for layer in MLP((3, 4, 4, 2), activation="silu", norm="layer", dropout=0.1)]
    assert kinds == ["Linear", "LayerNorm", "SiLU", "Dropout"] * 2 + ["Linear"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": (3,)}, r"dims: must be at least two widths of at least 1, got \[3\]"),
        ({"dims": (3, 0)}, r"dims: .* got \[3, 0\]"),
        ({"dims": (3, 3), "activation": "rellu"}, "activation: .* did you mean 'relu'"),
        ({"dims": (3, 3), "norm": "group"}, "norm: must be one of batch, layer; got 'group'"),
        ({"dims": (3, 3), "dropout": 1.0}, r"dropout: must be a probability in \[0, 1\), got 1.0"),
    ],
)
def test_mlp_arguments_are_checked(arguments, message):
    dims = arguments.pop("dims")
    with pytest.raises(ValueError, match=message):
        MLP(dims, **arguments)
