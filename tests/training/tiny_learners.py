"""Small learners, and a program that trains one: what the tests of training work on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Learner, Recipe
from pcgen.optim import descend
from pcgen.training import fit


class Denoiser(GradientLearner):
    """A vector model with every kind of state: batch norm's buffers, dropout's and the loss's noise, Adam's moments."""

    recipe = Recipe()

    def __init__(self, shape: Sequence[int], width: int = 8, lr: float = 1e-2) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.net = nn.Sequential(
            nn.Linear(shape[0], width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, shape[0])
        )
        self.optimizer = torch.optim.Adam(self.parameters(), lr=lr)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        noisy = batch.x + 0.1 * torch.randn_like(batch.x)
        return {"mse": (self.net(noisy) - batch.x).square().mean()}


class Shift(GenerativeModel):
    """Samples N(mu, 1), with its own update and two optimizers (one with momentum); vectors or clouds."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.mu = nn.Parameter(torch.zeros(self.shape))
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.first = torch.optim.SGD([self.mu], lr=0.1, momentum=0.9)
        self.second = torch.optim.RMSprop([self.scale], lr=0.01)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.seen += len(batch.x)
        near = (batch.x - self.mu + 0.1 * torch.randn_like(batch.x)).square().mean()
        descend(near, self.first)
        spread = (batch.x.std() - self.scale).square()
        descend(spread, self.second)
        return {"near": near.detach(), "spread": spread.detach()}

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.mu + self.scale * torch.randn(n, *self.shape)


class Line(GradientLearner):
    """One weight, whose loss is `w * mean(x)`: gradients that can be written down."""

    recipe = Recipe()

    def __init__(self, shape: Sequence[int] = (1,), lr: float = 1.0) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.weight = nn.Parameter(torch.zeros(()))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=lr)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"line": self.weight * batch.x.mean()}


def equal(one: Learner, other: Learner) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def vectors(rows: int = 37, dim: int = 5) -> Tensor:
    """The same rows in every process."""
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(3))


def jitter(x: Tensor) -> Tensor:
    """An augmentation that draws from the global generator."""
    return x + 0.01 * torch.randn_like(x)


def train(kind: str, out: str, **options: object) -> None:
    """A training with everything on: averages, schedule, validation, augmentation; epochs of 5 uneven batches."""
    torch.manual_seed(5)
    model: GradientLearner | GenerativeModel
    if kind == "clouds":
        model, data = Shift((4, 3)), vectors(37, 21).reshape(37, 7, 3)
    else:
        model, data = Denoiser((5,)), vectors()
    settings = {"steps": 203, "batch_size": 8, "schedule": "cosine", "warmup": 7, "clip": 1.0, "average": 0.9}
    settings |= {"augment": jitter, "seed": 5, "validation": data[:9], "validate_every": 20, "log_every": 15}
    fit(model, data, out=out, resume="auto", **(settings | options))  # type: ignore[arg-type]
