"""The deep autoencoder of ordered points, pretrained as a stack of restricted Boltzmann machines."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, fraction, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, Recipe
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.energy.gaussian_rbm import GaussianLayer
from pcgen.models.energy.layers import BinaryLayer, Layer
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.unrolling import unrolled
from pcgen.models.inference import in_batches
from pcgen.models.shape import accepted
from pcgen.nets.leading_axes import LeadingAxes
from pcgen.nets.template_order import TemplateOrder

__all__ = ["StackedAutoencoder"]

_AXES = 32  # principal axes that the lowest machine sees
_NOISE = 0.7  # of the lowest machine's visible units, as in gaussian_rbm
_MOMENTUM, _DECAY = 0.9, 1e-4  # as in the energy models
_CLOUDS = 1000  # that means and axes are taken from, at most


class StackedAutoencoder(Autoencoder):
    """A deep autoencoder of ordered points, pretrained as a stack of restricted Boltzmann machines.

        y_i = the point of the cloud that is nearest to point i of a template
        encode(x) = W_L h_(L-1) + b_L,  h_l = sigmoid(W_l h_(l-1) + b_l),  h_0 = y;  decode(z) the same way down

    Phase l trains layer l as a restricted Boltzmann machine on the activations of the layer below, by contrastive
    divergence. The machines are then unrolled into encoder and decoder, which are fine-tuned like those of
    `autoencoder`, by a distance between clouds. Fine-tuning then starts a little below the loss of the mean cloud,
    where random weights (`pretraining` 0) start; some hundreds of updates later, these have got as far.

    The lowest machine sees the leading principal axes of y, whitened, like a `gaussian_rbm`; after unrolling, they are
    part of its weights. The paper's pixels have fixed positions; points get an order from a template, which is drawn
    from the training clouds. The paper's code has linear units, learned by a machine with Gaussian ones; ours is the
    log-odds of the top machine's bits.

    Args:
        shape: (points, 3) of the decoded clouds, and of the template; the encoder takes clouds of any size.
        code: width of the code.
        widths: of the layers between the points and the code, from the points up.
        pretraining: share of the training in which the machines learn; 0 starts from random weights.
        pretraining_lr: their learning rate.
        reconstruction: the distance of the fine-tuning, "emd" or "chamfer", as in `autoencoder`.
        lr: Adam's learning rate in the fine-tuning.

    Logged:
        contrast: of the machine that is trained, mean free energy of its data minus that of the ends of its chains, in
            nats.
        emd, chamfer: in the fine-tuning, the distance of clouds from their reconstructions, as in `autoencoder`.

    Raises:
        ValueError: a shape that is not that of clouds, or an argument out of range.

    References:
        Hinton, Salakhutdinov (2006). Reducing the Dimensionality of Data with Neural Networks.
        Prokudin, Lassner, Romero (2019). Efficient Learning on Point Clouds with Basis Point Sets.
    """

    learning: ClassVar[str] = "Markov chains layer by layer, then gradient descent"

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 64,
        widths: Sequence[int] = (256,),
        pretraining: float = 0.3,
        pretraining_lr: float = 0.02,
        reconstruction: str = "emd",
        lr: float = 1e-3,
    ) -> None:
        points, _ = accepted(self.accepts, shape, "stacked_autoencoder")
        at_least(1, code=code)
        check_widths(widths=widths)
        fraction(pretraining=pretraining)
        positive(pretraining_lr=pretraining_lr)
        sizes = (3 * points, *widths, code)
        up = [each for pair in pairwise(sizes) for each in (nn.Linear(*pair), nn.Sigmoid())]
        down = [each for pair in pairwise(reversed(sizes)) for each in (nn.Sigmoid(), nn.Linear(*pair))]
        super().__init__(
            shape,
            code=code,
            encoder=nn.Sequential(TemplateOrder(points), *up[:-1]),
            decoder=nn.Sequential(*down, nn.Unflatten(1, (points, 3))),
            reconstruction=reconstruction,
            seen=None,
            matrix_lr=0,
            lr=lr,
        )
        self.pretraining = pretraining
        self.leading = LeadingAxes(3 * points, min(_AXES, 3 * points))
        self.layers = nn.ModuleList()
        if pretraining:
            learning = Learning("cd", 1, 1, pretraining_lr, _MOMENTUM, _DECAY)
            self.layers.append(GaussianLayer(self.leading.count, widths[0], learning, _NOISE))
            self.layers.extend(BinaryLayer(below, above, learning) for below, above in pairwise((*widths, code)))

    @property
    def recipe(self) -> Recipe:
        recipe = replace(super().recipe, bf16=False)
        if not self.pretraining:
            return recipe
        names = [f"layer_{place}" for place in range(1, len(self.layers) + 1)]
        shares = dict.fromkeys(names, self.pretraining / len(names))
        return replace(recipe, phases={**shares, "fine_tuning": 1 - self.pretraining})

    @property
    def order(self) -> TemplateOrder:
        """What puts the points of a cloud in order."""
        return cast("TemplateOrder", cast("nn.Sequential", self.encoder)[0])

    @property
    def stack(self) -> list[Layer]:
        """The machines, from the points up."""
        return [cast("Layer", layer) for layer in self.layers]

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Take the template and the principal axes from the data; reconstructions start about the mean cloud."""
        some = _some(data.x)
        self.order.fit(some)
        ordered = in_batches(self, self.order, some)
        self.leading.fit(ordered)
        first, last = _linear(self.encoder)[0], _linear(self.decoder)[-1]
        first.bias.copy_(-first.weight @ self.leading.mean)
        decoded = in_batches(self, lambda x: self.decode(self.encode(x)), some).flatten(1).mean(0)
        last.bias.add_(self.leading.mean - decoded)  # its inputs are sigmoids, whose mean is not 0

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Start a layer with the means of its data, or the fine-tuning with all layers unrolled."""
        place = int(self.phase)
        if place == len(self.layers):
            self._unroll()
        elif place:
            seen = in_batches(self, lambda x: self.inferred(x, place), _some(data.x))
            cast("BinaryLayer", self.stack[place]).fit(seen)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        place = int(self.phase)
        if place == len(self.layers):
            return super().update(batch)
        with torch.no_grad():
            seen: Tensor = self.leading(self.order(batch.x))
            for layer in self.stack[:place]:
                seen = layer.draw_hidden(seen)
        return {"contrast": self.stack[place].learn(seen)}

    def inferred(self, x: Tensor, place: int) -> Tensor:
        """The data of the machine at that level for clouds (B, N, 3): probabilities of the units below it."""
        h: Tensor = self.leading(self.order(x))
        for layer in self.stack[:place]:
            h = layer.hidden_logits(h).sigmoid()
        return h

    def _unroll(self) -> None:
        """Copy the stack into encoder and decoder, with the maps to the leading axes and back in the outermost weights.

        The code is log-odds, so the encoder has one sigmoid less than the stack, and the decoder one more.
        """
        up, down = (_linear(part) for part in unrolled(self.stack))
        up[0], down[-1] = self.leading.before(up[0]), self.leading.after(down[-1])
        for mine, its in zip((*_linear(self.encoder), *_linear(self.decoder)), (*up, *down), strict=True):
            mine.load_state_dict(its.state_dict())


def _some(clouds: Tensor) -> Tensor:
    """Evenly chosen ones of clouds (S, N, 3), so many that their means say enough."""
    return clouds[:: -(-len(clouds) // _CLOUDS)]


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [part for part in network.modules() if isinstance(part, nn.Linear)]
