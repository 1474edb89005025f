"""Scaling codes up before they are decoded, so that generated clouds vary as much as data does."""

from collections.abc import Callable

from torch import Tensor

__all__ = ["kept", "outward"]

_MOST = 1.15  # farther out, the errors of codes that no decoder has learned outweigh the gain in variation

RoundTrip = Callable[[Tensor], Tensor]


def kept(again: RoundTrip, codes: Tensor, factor: float = 1.0) -> float:
    """The share of the codes' mean square that is left after decoding and encoding: mean |R(s y)|^2 / mean |y|^2.

    Args:
        again: R, which decodes and encodes standardised codes, (n, dim) -> (n, dim); a function of the codes alone.
        codes: y, (n, dim).
        factor: s, by which the codes are multiplied before.
    """
    return float(again(factor * codes).double().square().mean() / codes.double().square().mean())


def outward(again: RoundTrip, drawn: Tensor, wanted: float) -> float:
    """The factor s by which samples of a head are multiplied, so that as much is kept of them as of training codes.

        kept(R, y, s) = wanted,  1 <= s <= 1.15

    The training codes of a few hundred shapes are far apart. Samples of a head are between them, where the decoder's
    clouds are closer to the mean cloud than the clouds of training codes are: after decoding and encoding, samples have
    moved towards the mean, and training codes have not. So samples are more similar to each other than data is. The
    factor compensates for this; it is interpolated linearly between its ends. It is 1 if as much is kept of samples as
    of training codes.

    Args:
        again: R, as in `kept`.
        drawn: y, samples of a head, (n, dim), standardised by the training codes.
        wanted: what is kept of training codes.
    """

    before = kept(again, drawn)
    if not before < wanted:
        return 1.0
    at_most = kept(again, drawn, _MOST)
    if not at_most > wanted:
        return _MOST
    return 1 + (_MOST - 1) * (wanted - before) / (at_most - before)
