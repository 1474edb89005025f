"""A model of clouds made of an autoencoder and a model of its codes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from pcgen.models import build
from pcgen.models.abilities import can
from pcgen.models.base import Batch, GenerativeModel, Learner, Recipe, check_finite
from pcgen.models.clouds.outward import kept, outward
from pcgen.models.clouds.resampling import resample
from pcgen.models.domains import check_domain, make_domain
from pcgen.models.inference import encode_all, in_batches
from pcgen.models.states import State
from pcgen.nets.weights import fingerprint
from pcgen.seeds import isolated, stream

__all__ = ["LatentCloudModel"]

_CLOUDS_AT_ONCE = 64  # whose neighbours are searched
_POINTS_AT_ONCE = 2**23  # of finished clouds: 100 MB; a head draws many codes as fast as few
_ROWS = 256  # codes that are decoded and encoded again to find the outward factor,
_POINTS = 512  # from as many points of each cloud at most


class LatentCloudModel(GenerativeModel):
    """Generates clouds by sampling a code from a head and decoding it.

    It learns from codes: `encode(clouds)` encodes the training clouds once, `setup` fits the map to the head's domain
    (see `pcgen.models.domains`), and the head learns the mapped codes. The autoencoder does not learn and is not
    changed. Codes that are vectors are scaled up a little before they are decoded, so that the clouds vary as much as
    the training clouds do (see `pcgen.models.clouds.outward`).

    Args:
        autoencoder: a learner with `encode`, `decode` and `code_shape`, or its description for `pcgen.models.build`.
        head: a generative model of the mapped codes, or its description.
        domain: the domain to which codes are mapped; None is the head's own domain, "raw" leaves codes unchanged (the
            l-GAN of the paper, with its final ReLU).

    Raises:
        ValueError: the autoencoder has no codes, the head does not generate, or the two do not fit together; in
            `setup`, raw codes are not in the head's domain.

    References:
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds.
    """

    kept: Tensor  # share of the training codes' mean square that is left after decoding and encoding
    _found: tuple[tuple[float, ...], float] | None = None

    def __init__(
        self,
        autoencoder: Learner | Mapping[str, Any],
        head: GenerativeModel | Mapping[str, Any],
        domain: str | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder: Any = autoencoder if isinstance(autoencoder, Learner) else build(autoencoder)
        made = head if isinstance(head, Learner) else build(head)
        code = getattr(self.autoencoder, "code_shape", None)
        if code is None or not can(self.autoencoder, "decode"):
            raise ValueError(
                f"autoencoder: must encode and decode, {type(self.autoencoder).__name__} does not; give an autoencoder"
            )
        if not isinstance(made, GenerativeModel):
            raise ValueError(f"head: must be a generative model, got {type(made).__name__}; see MODELS")
        if domain is not None and made.domain != "real" and domain not in (made.domain, "raw"):
            raise ValueError(f"domain: must be {made.domain} (or raw) for a {type(made).__name__}, got {domain!r}")
        self.to_head = make_domain(domain or made.domain, code[-1])
        self.register_buffer("kept", torch.ones(()))
        wanted = self.to_head.shape(code)
        if tuple(made.shape) != wanted:
            raise ValueError(
                f"head: learns rows of shape {tuple(made.shape)}, but codes of shape {code} in the domain "
                f"{self.to_head.name} have shape {wanted}; give it shape={wanted}"
            )
        self.head = made
        self.lacks = () if can(made, "states") else ("states",)
        self.shape = tuple(self.autoencoder.shape)

    @property
    def recipe(self) -> Recipe:
        """The head's: only the head learns."""
        return self.head.recipe

    @property
    def learns(self) -> tuple[int, ...]:
        """The shape of the autoencoder's codes."""
        code: tuple[int, ...] = self.autoencoder.code_shape
        return code

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The head's classes."""
        return self.head.classes

    @property
    def learner(self) -> Learner:
        """The head."""
        return self.head

    @property
    def follows_progress(self) -> bool:  # type: ignore[override]
        """Whether the head does."""
        return self.head.follows_progress

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but the autoencoder, which does not learn."""
        self.training = mode
        self.head.train(mode)
        return self

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {f"head.{name}": optimizer for name, optimizer in self.head.optimizers().items()}

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Fit the domain to the training codes, and set up the head with what it makes of them."""
        self.to_head.fit(data.x)
        seen = self._seen(data)
        if self._moves_out:
            some = torch.randperm(len(seen), generator=stream("outward"))[:_ROWS].to(seen.x.device)
            self.kept.fill_(kept(self._again, seen.x[some]))
        check_domain(self.head.domain, seen.x, f"a {type(self.head).__name__} on {self.to_head.name} codes")
        self.head.setup(seen)

    def enter(self, phase: str, data: Batch) -> None:
        self.head.phase.copy_(self.phase)
        self.head.enter(phase, self._seen(data))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        values = self.head.update(self._seen(batch))
        self.head.learned += 1
        return values

    @torch.no_grad()
    def validate(self, data: Batch) -> Tensor:
        """The head's own measure on held-out codes, in its domain."""
        return self.head.validate(self._seen(data))

    def draw_labels(self, n: int) -> Tensor | None:
        return self.head.draw_labels(n)

    def at_once(self, points: int | None = None) -> int:
        return max(1, min(self.head.at_once(), _POINTS_AT_ONCE // (points or self.shape[0])))

    def outward_factor(self) -> float:
        """By how much the head's codes are scaled up before they are decoded, from 1 to 1.15.

        It is computed once for the current weights, from samples of the head, and does not advance torch's generator.
        It is 1 for codes that are sets, and for heads that do not learn standardised codes or whose samples vary enough
        (`GenerativeModel.varies`).
        """
        if not self._moves_out:
            return 1.0
        key = fingerprint(self.state_dict().values())
        if self._found is None or self._found[0] != key:
            try:
                with isolated(0, self.device):
                    drawn = self.head.sample(_ROWS)
                self._found = key, outward(self._again, drawn, float(self.kept))
            except FloatingPointError:  # the head has diverged: the caller's own samples raise this error
                return 1.0
        return self._found[1]

    def codes_of(self, x: Tensor, outward: bool = True) -> Tensor:
        """The codes (B, *code) that are decoded for samples of the head, (B, *shape); `outward` is that of `draw`."""
        return self.to_head.inverse(self.outward_factor() * x if outward else x)

    @property
    def _moves_out(self) -> bool:
        return self.to_head.name == "real" and len(self.learns) == 1 and not self.head.varies

    @torch.no_grad()
    def _again(self, x: Tensor) -> Tensor:
        """Codes in the head's domain, (B, dim), decoded and encoded again."""
        with isolated(0, self.device):
            decoded = self.decode(self.to_head.inverse(x))
            check_finite(decoded, "a decoded sample")
            clouds = resample(decoded, min(_POINTS, self.shape[0]))
        again: Tensor = self.to_head(self.encode(clouds))
        return again

    @torch.no_grad()
    def draw(
        self, n: int, *, points: int | None = None, even: bool = False, outward: bool = True, **options: Any
    ) -> Tensor:
        """Draw n clouds, (n, points, 3), whose points are independent samples of the decoded surface.

        Args:
            n: number of samples.
            points: of each cloud, any number; None is that of the autoencoder.
            even: return the decoder's own points, which are spread more evenly than those of data.
            outward: scale codes up by `outward_factor` before they are decoded.
            **options: the head's, such as labels.

        Raises:
            ValueError: `even` is asked for with another number of points than the autoencoder's.
        """
        self._check_even(points, even)
        return self._clouds(self.head.draw(n, **options), points, even, outward)

    @torch.no_grad()
    def states(
        self, n: int, *, points: int | None = None, even: bool = True, outward: bool = True, **options: Any
    ) -> Iterator[State]:
        """The clouds of the head's states; the last one is `draw` with the same arguments.

        The states before the last are all decoded with the same random numbers, so only the code changes from one to
        the next, and without advancing torch's generator. Only the last code is scaled up.

        Args:
            n: number of samples.
            points: of each cloud, as in `draw`.
            even: return the decoder's own points, which stay the same points from state to state.
            outward: as in `draw`.
            **options: the head's, such as labels.

        Raises:
            ValueError: the head has no states, or as `draw`.
        """
        if self.lacks:
            raise ValueError(f"states: a {type(self.head).__name__} draws in one step; there are none on its way")
        self._check_even(points, even)
        head: Any = self.head
        before: State | None = None
        for state in head.states(n, **options):
            if before is not None:
                with isolated(0, self.device):
                    clouds = self._clouds(before.x, points, even, outward=False)
                yield State(before.at, clouds)
            before = state
        if before is not None:
            yield State(before.at, self._clouds(before.x, points, even, outward))

    def _check_even(self, points: int | None, even: bool) -> None:
        if even and points not in (None, self.shape[0]):
            raise ValueError(
                f"even: the decoder gives {self.shape[0]} points, got points={points}; leave one of them out"
            )

    def _clouds(self, x: Tensor, points: int | None, even: bool, outward: bool) -> Tensor:
        """Clouds of the head's samples."""
        decoded = self.decode(self.codes_of(x, outward))
        if even:
            return decoded
        check_finite(decoded, "a decoded sample")
        return torch.cat([resample(part, points) for part in decoded.split(_CLOUDS_AT_ONCE)])

    def encode(self, x: Tensor) -> Tensor:
        """The autoencoder's codes (B, *code) of clouds (B, N, 3), without a graph: the data that this model learns."""
        return encode_all(self.autoencoder, x)

    def decode(self, z: Tensor) -> Tensor:
        """Clouds (B, points, 3) of the autoencoder's codes (B, *code), without a graph."""
        return in_batches(self.autoencoder, self.autoencoder.decode, z)

    def _seen(self, batch: Batch) -> Batch:
        with torch.no_grad():
            return replace(batch, x=self.to_head(batch.x))
