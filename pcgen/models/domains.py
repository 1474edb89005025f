"""Maps from an autoencoder's codes to a head's domain, and back: real, unit, nonnegative, binary, raw.

A head states its `domain`. So Boltzmann machines and discrete models learn the same codes as all others.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose

__all__ = ["DOMAINS", "Binary", "Domain", "Nonnegative", "Raw", "Real", "Unit", "check_domain", "make_domain"]

# Codes that vary less than this share of the most varying one are constant in practice: dividing by their own
# deviation would blow rounding errors up to the size of the signal.
_NEGLIGIBLE = 1e-6
# Numbers of the unit interval stay this far from its ends, where the way back is infinite: 5 deviations.
_EDGE = 2.9e-7
_FINE = 16  # parts of a bin of the binary domain, within which values are uniform


class Domain(nn.Module):
    """A map between codes (B, *code) and a head's domain; fitted to the training codes, its state in buffers.

    Vectors are mapped dimension by dimension. Sets of codes (members, channels) are mapped channel by channel, in the
    same way for all members, so the map is permutation-equivariant.
    """

    name: str

    def shape(self, code: Sequence[int]) -> tuple[int, ...]:
        """The shape of the head's data, for codes of that shape."""
        return tuple(code)

    @abstractmethod
    def fit(self, codes: Tensor) -> None:
        """Fit the map to the training codes, (S, *code)."""

    @abstractmethod
    def forward(self, codes: Tensor) -> Tensor:
        """The head's data, (B, *shape), of codes (B, *code)."""

    @abstractmethod
    def inverse(self, x: Tensor) -> Tensor:
        """Codes (B, *code) of the head's samples, (B, *shape)."""


class Raw(Domain):
    """The codes as they are, as in the l-GAN of Achlioptas et al. (2018), whose generator ends in a ReLU."""

    name = "raw"

    def __init__(self, channels: int) -> None:
        super().__init__()

    def fit(self, codes: Tensor) -> None:
        return

    def forward(self, codes: Tensor) -> Tensor:
        return codes

    def inverse(self, x: Tensor) -> Tensor:
        return x


class Real(Domain):
    """Standardised: (code - mean) / deviation; a constant code is only shifted."""

    name = "real"
    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, codes: Tensor) -> None:
        rows = codes.flatten(0, -2).double()
        deviation = rows.std(0, correction=0)
        constant = deviation <= _NEGLIGIBLE * deviation.max()
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(torch.where(constant, torch.ones_like(deviation), deviation))

    def forward(self, codes: Tensor) -> Tensor:
        return (codes - self.mean) / self.deviation

    def inverse(self, x: Tensor) -> Tensor:
        return x * self.deviation + self.mean


class Unit(Real):
    """In (0, 1): the standard normal distribution function of the standardised code."""

    name = "unit"

    def forward(self, codes: Tensor) -> Tensor:
        shares: Tensor = torch.special.ndtr(super().forward(codes))
        return shares.clamp(_EDGE, 1 - _EDGE)

    def inverse(self, x: Tensor) -> Tensor:
        return super().inverse(torch.special.ndtri(x.clamp(_EDGE, 1 - _EDGE)))


class Nonnegative(Domain):
    """Nonnegative: (code - smallest code of the training set) / deviation; smaller codes become 0."""

    name = "nonnegative"
    least: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("least", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, codes: Tensor) -> None:
        real = Real(codes.shape[-1]).to(codes.device)
        real.fit(codes)
        self.least.copy_(codes.flatten(0, -2).amin(0))
        self.deviation.copy_(real.deviation)

    def forward(self, codes: Tensor) -> Tensor:
        return ((codes - self.least) / self.deviation).clamp_min(0)

    def inverse(self, x: Tensor) -> Tensor:
        return x.clamp_min(0) * self.deviation + self.least


class Binary(Domain):
    """Bits of principal components: the index of each among 2^bits bins of equal mass, in Gray code.

        y = U^T (code - m),  m and U L U^T the mean and covariance of the training codes

    Components are uncorrelated, so independent bits already have the covariance of the codes, and a model of bits only
    has to learn what is not Gaussian. In Gray code, neighbouring bins differ in one bit. A vector of D coordinates
    becomes D * bits bits, those of one component side by side, the largest component and the coarsest bit first. On the
    way back, a bin becomes a sample of the training codes' marginal within it, by torch's global generator.

    Args:
        channels: coordinates, D.
        bits: of each component.
    """

    name = "binary"
    mean: Tensor
    basis: Tensor
    quantiles: Tensor
    weights: Tensor

    def __init__(self, channels: int, bits: int = 4) -> None:
        super().__init__()
        at_least(1, bits=bits)
        self.bits = bits
        self.register_buffer("mean", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("basis", torch.eye(channels, dtype=torch.float64))  # U
        steps = torch.linspace(-1, 1, _FINE * 2**bits + 1, dtype=torch.float64)
        self.register_buffer("quantiles", steps.repeat(channels, 1))  # (D, _FINE * 2^bits + 1), of the components
        self.register_buffer("weights", 2 ** torch.arange(bits - 1, -1, -1), persistent=False)  # (bits,)

    def shape(self, code: Sequence[int]) -> tuple[int, ...]:
        return (*code[:-1], code[-1] * self.bits)

    def fit(self, codes: Tensor) -> None:
        rows = codes.flatten(0, -2).double()
        self.mean.copy_(rows.mean(0))
        centred = rows - self.mean
        self.basis.copy_(torch.linalg.eigh(centred.T @ centred / len(rows)).eigenvectors.flip(1))
        shares = torch.linspace(0, 1, self.quantiles.shape[1], dtype=torch.float64, device=codes.device)
        components = (centred @ self.basis).T
        self.quantiles.copy_(torch.stack([row.quantile(shares) for row in components]))  # quantile's input is bounded

    def forward(self, codes: Tensor) -> Tensor:
        components = ((codes.flatten(0, -2).double() - self.mean) @ self.basis).T.contiguous()  # (D, R)
        edges = self.quantiles[:, _FINE:-_FINE:_FINE].contiguous()  # (D, 2^bits - 1)
        bins = torch.searchsorted(edges, components).T  # (R, D) in 0 ... 2^bits - 1
        gray = bins ^ (bins >> 1)
        bits = (gray[..., None] & self.weights) > 0  # (R, D, bits)
        return bits.to(codes.dtype).reshape(*codes.shape[:-1], -1)

    def inverse(self, x: Tensor) -> Tensor:
        channels = len(self.quantiles)
        gray = (x.reshape(-1, channels, self.bits) > 0.5).long()  # (R, D, bits)
        bins = ((gray.cumsum(-1) % 2) * self.weights).sum(-1)  # a bit is the parity of the Gray bits up to it
        at = _FINE * torch.rand(bins.shape, dtype=torch.float64, device=x.device)
        part = at.long().clamp_max(_FINE - 1)  # of the bin
        low, high = (self.quantiles.T.gather(0, _FINE * bins + part + end) for end in (0, 1))
        codes = low.lerp(high, at - part) @ self.basis.T + self.mean
        return codes.to(x.dtype).reshape(*x.shape[:-1], channels)


DOMAINS: Mapping[str, type[Domain]] = {cls.name: cls for cls in (Real, Unit, Nonnegative, Binary, Raw)}


def make_domain(name: str, channels: int) -> Domain:
    """The domain of a name, for codes of so many dimensions or channels.

    Raises:
        ValueError: there is none of that name.
    """
    return DOMAINS[choose(name, DOMAINS, "domain")](channels)


def check_domain(name: str, x: Tensor, model: str) -> None:
    """Raise an error for data outside the domain of the model that shall learn it.

    Raises:
        ValueError: a value is outside; the text says what the domain is, and the smallest and largest value.
    """
    low, high = (float(x.min()), float(x.max())) if x.numel() else (0.0, 0.0)
    wanted = {
        "unit": (0.0, 1.0, "in [0, 1]"),
        "nonnegative": (0.0, math.inf, "nonnegative"),
        "binary": (0.0, 1.0, "0 or 1"),
    }
    if name not in wanted:
        return
    least, most, words = wanted[name]
    if low < least or high > most or (name == "binary" and not bool(((x == 0) | (x == 1)).all())):
        raise ValueError(
            f"data: must be {words} for {model}, got numbers from {low:g} to {high:g}; map it there first, as a "
            "LatentCloudModel does with codes (--codes RUN)"
        )
