"""Your own model as a head: python examples/own_model.py

A Gaussian whose covariance has a few factors, learned by gradient descent. The command line can also train it:
pcgen train examples.own_model:FactorGaussian --codes runs/ae --out runs/mine
"""

import argparse

import torch
from torch import Tensor, nn

from pcgen import data, training
from pcgen.models import Batch, GenerativeModel, GradientLearner
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel


class FactorGaussian(GradientLearner, GenerativeModel):
    """p(x) = N(x; m, W W^T + diag v), trained by maximum likelihood."""

    def __init__(self, shape: tuple[int, ...], factors: int = 8, lr: float = 1e-2) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.mean = nn.Parameter(torch.zeros(self.shape))
        self.factor = nn.Parameter(0.1 * torch.randn(*self.shape, factors))
        self.log_variance = nn.Parameter(torch.zeros(self.shape))
        self.optimizer = torch.optim.Adam(self.parameters(), lr)

    @property
    def distribution(self) -> torch.distributions.Distribution:
        return torch.distributions.LowRankMultivariateNormal(self.mean, self.factor, self.log_variance.exp())

    def log_prob(self, x: Tensor) -> Tensor:
        return self.distribution.log_prob(x)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"nll": -self.log_prob(batch.x).mean()}

    def draw(self, n: int) -> Tensor:
        return self.distribution.sample((n,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100, help="updates of each")
    asked = parser.parse_args()
    clouds = data.load("shapes:chair=100", points=256).split("train").points
    autoencoder = training.fit(Autoencoder((128, 3), code=16), clouds, steps=asked.steps // 4, seed=0)
    model = LatentCloudModel(autoencoder, FactorGaussian((16,)))
    training.fit(model, model.encode(clouds), steps=asked.steps)
    print(f"samples {tuple(model.sample(8).shape)}")


if __name__ == "__main__":
    main()
