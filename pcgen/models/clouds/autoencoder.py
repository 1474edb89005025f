"""The permutation-invariant autoencoder of clouds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.data.augmentation import Augmentation
from pcgen.errors import at_least, fraction, moments, not_negative, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.clouds.reconstruction import Reconstruction
from pcgen.models.shape import accepted
from pcgen.nets.parts import DECODERS, ENCODERS, Part, build_part
from pcgen.nets.regularisers import SparseUnits, negative_weights
from pcgen.optim import Muon, hidden_layers

__all__ = ["Autoencoder"]

_FEW = 256  # points: of fewer, all are matched from the beginning
# Few shapes are learned by heart, and others are decoded badly. Codes are made of clouds as they are, so the law that a
# head learns stays.
_CHANGES = Augmentation(stretch=0.15, mirror=0.5, centred=True)


class Autoencoder(GradientLearner):
    """Encodes a cloud into a code that does not depend on the order of its points, and decodes it into a cloud.

        loss = mean over the batch of d(x, decode(encode(x)))

    Four variants are options: a denoising autoencoder, which sees a corrupted cloud and decodes the clean one; a sparse
    one, where each unit of the code is active in few clouds; one with a nonnegative decoder; and one with dropout
    of the code.

    Args:
        shape: (points, 3) of the clouds that are decoded; the encoder takes clouds of any size.
        code: width of the code, D.
        encoder: a part by name and arguments, or a module (B, N, 3) -> (B, code).
        decoder: in the same way, (B, code) -> (B, points, 3).
        reconstruction: the distance d: "emd" (not squared), which spreads the decoded points as evenly as those of the
            data, or "chamfer" (squared), which takes half the time.
        gap: of the EMD's matchings, as in `pcgen.ops.match`: their cost is certified to be at most 1 / (1 - gap) times
            the optimum. They take two thirds of the time of exact ones (0) and train as well. Validation is exact.
        coarse: shares of the training, under the EMD, until which groups of four, and then of two, decoded points are
            matched as one, so that the coarse shape is learned in faster steps. (0, 0) matches all points from the
            start.
        even: whether to train on evenly spread points of clouds that have more than `points`; they vary less than
            random subsets.
        seen: points of each cloud that the encoder sees in training, drawn anew each time; the distance is to all
            points. The encoder takes most of the time of a step, and the code of a shape should not depend on its
            points. None is all; in any case `encode` takes clouds of any size.
        noise: standard deviation of Gaussian noise on the points that the encoder sees in training, in their units; the
            distance is to the clean points. Omitting points (`seen`) is the other corruption.
        sparsity: the target mean of every unit of the code over the clouds of training, as they are after random
            changes, above 0 and below 1; the code is then sigmoid(W encoder(x) + b), in (0, 1). 0 leaves the encoder's
            code unchanged.
        sparsity_weight: of the divergence of the units' means from the target, summed over units.
        nonnegative: weight of half the sum of the squared negative weights of the decoder's linear layers. To get
            clouds as sums of parts, use a decoder without norms and with few layers. The paper also penalises the
            encoder, whose data is nonnegative; with coordinates, an encoder needs negative weights to distinguish left
            and right.
        dropout: probability that a unit of the code is zeroed in training; the others are scaled up to compensate.
        matrix_lr: learning rate of Muon, which learns the hidden layers of up to 2^18 weights in fewer steps than Adam
            does. 0 uses Adam for all.
        lr: Adam's learning rate, for the other layers, which are too large or too narrow for Muon or make the points,
            and for biases and norms.
        betas: Adam's moments. A short memory of the squared gradients is meant for short trainings; at equal time, the
            usual .999 does as well.

    Logged:
        emd, chamfer: the distance d of clouds from their reconstructions, mean over the batch, in the training's units;
            for the EMD, while points are matched in groups, that of points to what their group is matched with.
        sparsity: the divergence of the units' means from the target, with its weight; logged if `sparsity` is not 0.
        negative: half the sum of the decoder's squared negative weights, with its weight; logged if `nonnegative` is
            not 0.

    Raises:
        ValueError: a shape that is not that of clouds, or an argument out of range.

    References:
        Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point
        Clouds. (Its training: batches of 50, 500 epochs.)
        Qi, Su, Mo, Guibas (2017). PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation.
        Jordan et al. (2024). Muon: An optimizer for hidden layers in neural networks.
        Vincent, Larochelle, Bengio, Manzagol (2008). Extracting and Composing Robust Features with Denoising
        Autoencoders.
        Ng (2011). Sparse autoencoder.
        Hosseini-Asl, Zurada, Nasraoui (2016). Deep Learning of Part-Based Representation of Data Using Sparse
        Autoencoders With Nonnegativity Constraints.
        Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014). Dropout: A Simple Way to Prevent Neural
        Networks from Overfitting.
    """

    objective: ClassVar[str] = "distance of clouds from their reconstructions"
    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 128,
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "emd",
        gap: float = 0.02,
        coarse: Sequence[float] = (0.4, 0.7),
        even: bool = True,
        seen: int | None = 256,
        noise: float = 0.0,
        sparsity: float = 0.0,
        sparsity_weight: float = 0.01,
        nonnegative: float = 0.0,
        dropout: float = 0.0,
        matrix_lr: float = 0.02,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.95),
    ) -> None:
        super().__init__()
        at_least(1, code=code)
        positive(lr=lr)
        not_negative(matrix_lr=matrix_lr, noise=noise, sparsity_weight=sparsity_weight, nonnegative=nonnegative)
        fraction(sparsity=sparsity, dropout=dropout)
        moments(betas=betas)
        if not isinstance(coarse, Sequence) or len(coarse) != 2 or not 0 <= coarse[0] <= coarse[1] < 1:
            raise ValueError(f"coarse: must be two shares of the training, 0 <= four <= two < 1, got {coarse}")
        if seen is not None:
            at_least(1, seen=seen)
        self.shape = accepted(self.accepts, shape, "autoencoder")
        self.code_shape = (code,)
        self.encoder = build_part(encoder, ENCODERS, "encoder", code=code)
        self.units: SparseUnits | nn.Identity = SparseUnits(code, sparsity) if sparsity else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.decoder = build_part(decoder, DECODERS, "decoder", code=code, points=self.shape[0])
        self.distance = Reconstruction(reconstruction, gap)
        self.coarse = tuple(coarse) if reconstruction == "emd" and self.shape[0] >= _FEW else (0.0, 0.0)
        self.follows_progress = any(self.coarse)
        self.even = even
        self.seen = seen
        self.noise = noise
        self.sparsity_weight = sparsity_weight
        self.nonnegative = nonnegative
        if nonnegative:
            negative_weights(self.decoder)  # a decoder that has none is told here, not in the first update
        matrices = hidden_layers(self) if matrix_lr else []
        if matrices:
            self.matrix_optimizer = Muon(matrices, matrix_lr)
        chosen = {id(weight) for weight in matrices}
        others = [weight for weight in self.parameters() if id(weight) not in chosen]
        self.optimizer = torch.optim.Adam(others, lr, (betas[0], betas[1]), fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=16, augment=_CHANGES, bf16=True)

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, code) of clouds (B, N, 3) of any number of points."""
        code: Tensor = self.units(self.encoder(x))
        return code

    def decode(self, z: Tensor) -> Tensor:
        """Clouds (B, points, 3) of codes (B, code)."""
        cloud: Tensor = self.decoder(z)
        return cloud

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The distance; in training also the penalties, which validation does not include."""
        code = self.encode(self._shown(batch.x))
        decoded = self.decode(self.dropout(code))
        group = self._group(batch.progress) if self.training else 1
        distance = self.distance(decoded, batch.x) if group == 1 else self.distance.coarse(decoded, batch.x, group)
        terms = {self.distance.name: distance.mean()}
        if self.training and isinstance(self.units, SparseUnits):
            terms["sparsity"] = self.sparsity_weight * self.units.divergence(code)
        if self.training and self.nonnegative:
            terms["negative"] = self.nonnegative * negative_weights(self.decoder)
        return terms

    def _group(self, progress: float) -> int:
        """How many decoded points are matched as one at that part of the training."""
        four, two = self.coarse
        return 4 if progress < four else 2 if progress < two else 1

    def _shown(self, x: Tensor) -> Tensor:
        """The encoder's input for clouds (B, N, 3): in training `seen` points of each, (B, seen, 3), with noise."""
        if not self.training:
            return x
        if self.seen is not None and self.seen < x.shape[1]:
            x = x[:, torch.randperm(x.shape[1], device=x.device)[: self.seen]]
        return x + self.noise * torch.randn_like(x) if self.noise else x
