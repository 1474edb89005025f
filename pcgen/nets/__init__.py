"""Networks: encoders, decoders and their parts."""

from pcgen.nets.mlp import MLP

__all__ = ["MLP"]
