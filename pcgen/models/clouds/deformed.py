"""A model of clouds whose samples are training clouds, deformed as its decoder deforms its own."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pcgen.data.thinning import thin
from pcgen.errors import positive
from pcgen.models.base import Batch, Learner, check_finite
from pcgen.models.clouds.deforming import Exemplars
from pcgen.models.clouds.farther import as_far_apart, distances
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.mixtures.windows import Windows
from pcgen.seeds import isolated

__all__ = ["DeformedCloudModel"]

_SAMPLES = 256  # whose distances to the training clouds say how far samples are to be


class DeformedCloudModel(LatentCloudModel):
    """Generates clouds by deforming training clouds, of which it has all: a head's code says which one, and how.

    A sample of the head is near the code of a training cloud. The decoder's points move from where it places them for
    this code to where it places them for the sample, and the points of the training cloud move with them (see
    `pcgen.models.clouds.deforming`). So a sample has the details that the decoder loses. In all else, it is a
    `LatentCloudModel`.

    Args:
        autoencoder: a learner with `encode`, `decode` and a `code_shape` of vectors, or its description for
            `pcgen.models.build`.
        head: windows about the codes of the exemplars, in their order, such as `parzen`; or its description.
        exemplars: the training clouds that are deformed, or the arguments of `Exemplars`.
        domain: as of `LatentCloudModel`.

    Logged:
        farther: how much farther from the codes of training clouds new codes are than the head has drawn them.

    Raises:
        ValueError: as `LatentCloudModel`, or the head has no windows about as many codes; in `setup`, the exemplars
            have no clouds.
    """

    head: Windows

    def __init__(
        self,
        autoencoder: Learner | Mapping[str, Any],
        head: Windows | Mapping[str, Any],
        exemplars: Exemplars | Mapping[str, Any],
        domain: str | None = None,
    ) -> None:
        super().__init__(autoencoder, head, domain)
        self.exemplars = Exemplars(**exemplars) if isinstance(exemplars, Mapping) else exemplars
        self.config["exemplars"], count = self.exemplars.config, len(self.exemplars.clouds)
        if not (isinstance(self.head, Windows) and len(self.head.centres) == count and len(self.learns) == 1):
            raise ValueError(
                f"head: must have windows about the codes of {count} exemplars, and this {type(self.head).__name__} "
                "has not; take parzen, or a LatentCloudModel"
            )

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Set up domain and head, and find how far from the training clouds samples are to be."""
        if not bool(self.exemplars.clouds.isfinite().all()):
            raise ValueError(
                "exemplars: must be the training clouds, and there are none yet; give Exemplars.of(clouds)"
            )
        super().setup(data)
        self.exemplars.farther.fill_(self._as_far())

    def update(self, batch: Batch) -> dict[str, Tensor]:
        return {**super().update(batch), "farther": self.exemplars.farther}

    @torch.no_grad()
    def draw(
        self,
        n: int,
        *,
        points: int | None = None,
        even: bool = False,
        outward: bool = True,
        deform: bool | None = None,
        farther: float | None = None,
        mirror: float | None = None,
        **options: Any,
    ) -> Tensor:
        """Draw n clouds, (n, points, 3), whose points are at random places of the deformed surface.

        Args:
            n: number of samples.
            points: of each cloud, any number; None is that of the autoencoder.
            even: decode, and return the decoder's own points, which are spread more evenly than those of data.
            outward: of clouds that are decoded: scale codes up by `outward_factor` before.
            deform: deform training clouds instead of decoding; None does if `even` is not asked for.
            farther: how much farther from its training cloud's code a code is than the head has drawn it. Less makes
                more copies, more mixes what does not belong together. None is the factor of `setup`, at which as many
                samples are near to training clouds as these are to each other (see `pcgen.models.clouds.farther`).
            mirror: share of the deformed clouds that are mirrored; None is that of the exemplars.
            **options: the head's.

        Raises:
            ValueError: `even` is asked for with another number of points than the autoencoder's, or with `deform`;
                `farther` or `mirror` is given, and clouds are decoded, or is out of range.
        """
        deform = not even if deform is None else deform
        if not deform:
            for name, value in (("farther", farther), ("mirror", mirror)):
                if value is not None:
                    raise ValueError(f"{name}: is for clouds that are deformed, and these are decoded; leave it out")
            return super().draw(n, points=points, even=even, outward=outward, **options)
        if even:
            raise ValueError("deform: the decoder's own points (even) are of no deformed cloud; leave one of them out")
        farther = float(self.exemplars.farther) if farther is None else farther
        positive(farther=farther)
        drawn, near = self.head.draw_about(n, **options)
        own = self.head.centres[near]
        before, after = self._decoded_alike(own), self._decoded_alike(own + farther * (drawn - own))
        deformed: Tensor = self.exemplars(near, before, after, points or self.shape[0], mirror)
        return deformed

    def _as_far(self) -> float:
        """The factor at which as many samples are near to training clouds as these are to each other."""
        points = min(self.shape[0], self.exemplars.clouds.shape[1])
        clouds = thin(self.exemplars.clouds, points, 0)
        with isolated(0, self.device):
            drawn, near = self.head.draw_about(_SAMPLES)
        own = self.head.centres[near]
        before = self._decoded_alike(own)

        def away(factor: float) -> Tensor:
            after = self._decoded_alike(own + factor * (drawn - own))
            with isolated(0, self.device):
                samples = self.exemplars(near, before, after, points, None)
            return distances(samples, clouds)

        chosen = near[: len(clouds)]
        return as_far_apart(away, distances(clouds[chosen], clouds, chosen))

    def _decoded_alike(self, x: Tensor) -> Tensor:
        """The decoder's own points of rows x, (B, N, 3); a decoder that draws them draws the same ones at each call."""
        with isolated(0, self.device):
            decoded = self.decode(self.to_head.inverse(x))
        check_finite(decoded, "a decoded sample")
        return decoded
