"""Decoders from codes to clouds, one per file; `pcgen.nets.parts.DECODERS` lists them by name."""

from pcgen.nets.decoders.cross_attention import CrossAttention
from pcgen.nets.decoders.folding import Folding
from pcgen.nets.decoders.fully_connected import FullyConnected
from pcgen.nets.decoders.patches import Patches
from pcgen.nets.decoders.residual import Residual

__all__ = ["CrossAttention", "Folding", "FullyConnected", "Patches", "Residual"]
