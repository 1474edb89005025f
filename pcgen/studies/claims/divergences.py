"""What the two directions of the Kullback-Leibler divergence lose where the model cannot reach the data."""

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import new
from pcgen.training import fit

__all__ = ["CLAIM"]

_COVERS = "share of the data within two deviations of the fitted Gaussian's mean"
_PICKS = "mean log-density of the data at samples, nats"
_DEVIATION = 0.5  # at .7 a wide Gaussian is an optimum of KL[Q||P] too, beside those at the parts
_NAMES = {"kl": "KL[P||Q]", "reverse_kl": "KL[Q||P]"}


def _trial(seed: int, effort: float) -> Numbers:
    data = MixtureSameFamily(Categorical(torch.tensor([0.65, 0.35])), Normal(torch.tensor([-2.0, 2.0]), _DEVIATION))
    x, start = data.sample((20_000, 1)), float(4 * torch.rand(()) - 2)
    covers, picks = {}, {}
    for divergence, name in _NAMES.items():
        game = {"saturating": True, "r1": 0.0, "lr": 4e-3, "betas": (0.5, 0.99), "noise_dim": 1}
        model = new("f_gan", x, divergence=divergence, generator_widths=(), critic_widths=(32, 32), **game)
        line = next(part for part in model.generator.modules() if isinstance(part, nn.Linear))
        with torch.no_grad():  # a Gaussian of deviation 1 somewhere between the two
            line.weight.fill_(1.0)
            line.bias.fill_(start)
        fit(model, x, steps=scaled(1200, effort), batch_size=512, average=0.99, schedule="constant")
        fitted = Normal(line.bias.detach(), line.weight.detach().abs().squeeze())
        ends = fitted.mean + 2 * fitted.stddev * torch.tensor([-1.0, 1.0])
        covers[name] = float(data.cdf(ends).diff())
        picks[name] = float(data.log_prob(fitted.sample((4000,))).mean())
    return {_COVERS: covers, _PICKS: picks}


CLAIM = Claim(
    name="divergences",
    says="A model that cannot represent the data P covers all of it by KL[P||Q], and a part of it by KL[Q||P].",
    source=(
        "Nowozin, Cseke, Tomioka (2016). f-GAN: Training Generative Neural Samplers using Variational Divergence "
        "Minimization. Minka (2005). Divergence Measures and Message Passing."
    ),
    test=(
        "`f_gan` with saturating=True, whose generator minimises the named divergence itself, fits one Gaussian to a "
        "mixture of two with distance 4, standard deviation .5 and weights .65 and .35, for 1200 updates. It starts "
        "between the two, at a different point for each seed."
    ),
    comparisons=(
        Difference(_COVERS, larger=_NAMES["kl"], smaller=_NAMES["reverse_kl"]),
        Difference(_PICKS, larger=_NAMES["reverse_kl"], smaller=_NAMES["kl"]),
    ),
    trial=_trial,
)
