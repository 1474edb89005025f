"""What the processes of a test of ranks do; each runs the same function."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tiny_learners import Denoiser, vectors
from torch import Tensor

from pcgen import ranks
from pcgen.files import write_tensors
from pcgen.models.base import Batch, Recipe
from pcgen.models.mixtures.dp_gmm import DPGMM
from pcgen.models.mixtures.gmm import GMM
from pcgen.models.variational.ncrp_vae import NCRPVAE
from pcgen.training import fit


class Seeing(Denoiser):
    """Keeps the rows that this rank has seen and the noise that it has drawn."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.rows: list[list[int]] = []
        self.noise: list[float] = []
        self.register_buffer("prepared", torch.zeros(()))

    def setup(self, data: Tensor) -> None:
        self.prepared.copy_(torch.rand(()))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.rows.append(batch.rows.tolist())
        self.noise.append(float(torch.rand(())))
        return super().update(batch)


def train(folder: str, steps: int = 13, **options: object) -> None:
    """Train from initial weights that differ between ranks; each rank leaves what it has at the end."""
    rank = int(os.environ["RANK"])
    torch.manual_seed(100 + rank)
    model, data = Seeing((5,)), vectors(21)
    settings = {"steps": steps, "batch_size": 5, "seed": 3, "average": 0.9, "validation": data[:5], "validate_every": 4}
    fit(model, data, out=Path(folder, "run"), **(settings | options))
    about = {"rows": model.rows, "noise": model.noise}
    write_tensors(Path(folder, f"rank{rank}.safetensors"), dict(model.state_dict()), about)


def train_for_a_time(folder: str) -> None:
    """The same, until the clock says so: the ranks' clocks differ."""
    train(folder, steps=None, minutes=0.01)  # type: ignore[arg-type]


def resume(folder: str) -> None:
    """Go on to 13 steps."""
    train(folder, resume="auto")


def train_half(folder: str) -> None:
    """The first 6 of 13 steps."""
    train(folder, steps=6)


class Acting(Denoiser):
    """Does something to its process in rank 1's third update."""

    def __init__(self, shape: tuple[int, ...], act: Callable[[], None]) -> None:
        super().__init__(shape)
        self.act, self.count = act, 0

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.count += 1
        if self.count == 3 and ranks.index() == 1:
            self.act()
        return super().update(batch)


def die(folder: str) -> None:
    """Rank 1 dies in the middle of the training, without a word."""
    fit(Acting((5,), lambda: os._exit(9)), vectors(), out=Path(folder, "run"), minutes=0.5)


def get_a_signal(folder: str) -> None:
    """Rank 1 alone is told to end."""
    fit(Acting((5,), lambda: os.kill(os.getpid(), signal.SIGTERM)), vectors(), out=Path(folder, "run"), minutes=0.5)


def hang(folder: str) -> None:
    """Rank 1 stops answering; the others wait 2 seconds."""
    rank = int(os.environ["RANK"])
    with ranks.group(torch.device("cpu"), timeout=2):
        if rank == 1:
            while not Path(folder, "gave up").exists():
                time.sleep(0.1)
        try:
            fit(Denoiser((5,)), vectors(), steps=5)
        finally:
            Path(folder, "gave up").touch()


class Alone(Denoiser):
    """Learns without a thought for other ranks."""

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.optimizer.zero_grad()
        loss = self.loss(batch)["mse"]
        loss.backward()
        self.optimizer.step()
        return {"mse": loss.detach()}


def train_alone(folder: str) -> None:
    """A model that does not learn through `descend`: each rank tells its error."""
    try:
        fit(Alone((5,)), vectors(), steps=5)
    except RuntimeError as error:
        Path(folder, f"error{os.environ['RANK']}").write_text(str(error))


def refused(folder: str) -> None:
    """Batches that leave a rank with one row."""
    try:
        fit(Denoiser((5,)), vectors(), steps=5, batch_size=3)
    except ValueError as error:
        Path(folder, f"error{os.environ['RANK']}").write_text(str(error))


def train_gmm(folder: str) -> None:
    """A mixture whose iterations are scikit-learn's."""
    _refused_mixture(GMM((5,), components=2), folder)


def train_dp_gmm(folder: str) -> None:
    """Another one, which measures the rows before its first iteration."""
    _refused_mixture(DPGMM((5,), components=2), folder)


def _refused_mixture(model: GMM | DPGMM, folder: str) -> None:
    try:
        fit(model, vectors(), steps=5)
    except ValueError as error:
        Path(folder, f"error{os.environ['RANK']}").write_text(str(error))


class Renewed(Denoiser):
    """Begins its second phase with a new optimizer; keeps its weights after every update."""

    recipe = Recipe(phases={"first": 0.5, "second": 0.5})

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.kept: list[float] = []

    def enter(self, phase: str, data: Batch) -> None:
        if phase == "second":
            self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        values = super().update(batch)
        self.kept.append(float(sum(weight.detach().sum() for weight in self.parameters())))
        return values


def train_in_phases(folder: str) -> None:
    """Each rank tells what its weights were after every update."""
    model = Renewed((5,))
    fit(model, vectors(), steps=12, batch_size=8)
    Path(folder, f"kept{os.environ['RANK']}").write_text(repr(model.kept))


class Sparing(Denoiser):
    """Has a weight that only rank 1 has a gradient for, and one that none has; both were moved before."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.some, self.none = (torch.nn.Parameter(torch.ones(())) for _ in range(2))
        self.optimizer = torch.optim.Adam([*self.net.parameters(), self.some, self.none], lr=1e-2)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        values = super().loss(batch)
        if self.learned == 0:
            values["both"] = self.some + self.none
        elif ranks.index() == 1:
            values["some"] = self.some
        return values


def train_sparing(folder: str) -> None:
    """Each rank tells its two weights."""
    model = Sparing((5,))
    fit(model, vectors(), steps=3, batch_size=8)
    Path(folder, f"weights{os.environ['RANK']}").write_text(repr((float(model.some), float(model.none))))


class Tree(NCRPVAE):
    """Keeps the counts of its leaves after every update."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape, code=2, widths=[8])
        self.kept: list[list[float]] = []

    def update(self, batch: Batch) -> dict[str, Tensor]:
        told = super().update(batch)
        self.kept.append(self.prior.counts.tolist())
        return told


def train_a_tree(folder: str) -> None:
    """Each rank tells the counts of its tree after every update."""
    model = Tree((5,))
    fit(model, vectors(), steps=6, batch_size=8)
    Path(folder, f"counts{os.environ['RANK']}").write_text(repr(model.kept))
