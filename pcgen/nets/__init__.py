"""Networks: encoders, decoders and their parts."""

from pcgen.nets.decoders import FullyConnected
from pcgen.nets.mlp import MLP
from pcgen.nets.pointnet import PointNet

__all__ = ["MLP", "FullyConnected", "PointNet"]
