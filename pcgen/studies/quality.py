"""How well models generate codes: one number for every family, with its uncertainty and its baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.domains import Real
from pcgen.seeds import stream

__all__ = ["BASELINES", "MOST", "Quality", "Scale", "baselines", "quality"]

FLOOR, INDEPENDENT, FULL, MEMORISER = "training codes", "independent Gaussians", "full Gaussian", "memoriser"
BASELINES = (FLOOR, INDEPENDENT, FULL, MEMORISER)
MOST = 1000  # codes that studies compare with: memory and time take the square of their number
_JITTER = 0.1  # of the memoriser, in deviations of each dimension
_RESAMPLINGS = 200


@dataclass(frozen=True)
class Quality:
    """The quality of one set of generated codes.

    Attributes:
        name: of the model, or of the baseline.
        score: 0 for training codes, 1 for independent Gaussians, less is better.
        interval: 95% of the score's bootstrap distribution.
        energy: energy distance to the held-out codes, the mean over the draws, unbiased: it can be below 0.
        novelty: median distance of a sample to its nearest training code, by that of a held-out code: 1 is as far as
            real codes are, near 0 is a copy; not finite if most held-out codes are training codes.
        resolved: whether the held-out codes tell independent Gaussians from training codes, in 97.5% of resamplings:
            else the score is a ratio of noise.
    """

    name: str
    score: float
    interval: tuple[float, float]
    energy: float
    novelty: float
    resolved: bool = True


def baselines(train: Tensor, size: int, draws: int, seed: int = 0) -> dict[str, list[Tensor]]:
    """The rows beside every model's, each `draws` sets of `size` codes.

    Training codes (as many different ones as there are), independent Gaussians of each dimension's mean and deviation,
    a Gaussian of the full covariance, and the memoriser: training codes with noise of a tenth of each deviation.

    Args:
        train: (S, D) training codes; sets of tokens are flattened.
        size: codes of each set.
        draws: sets of each baseline.
        seed: of all draws.
    """
    x = train.flatten(1).double()
    mean, deviation = x.mean(0), x.std(0, correction=0)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0).reshape(len(mean), len(mean)))
    factor = vectors * values.clamp_min(0).sqrt()  # (D, D)
    generator = stream("quality", seed)

    def noise() -> Tensor:
        return torch.randn(size, len(mean), generator=generator, dtype=torch.float64)

    order = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(1 + 2 * size * draws // len(x))])
    some = order[: 2 * size * draws].split(size)
    found: dict[str, list[Tensor]] = {
        FLOOR: [x[rows] for rows in some[:draws]],
        INDEPENDENT: [mean + deviation * noise() for _ in range(draws)],
        FULL: [mean + noise() @ factor.T for _ in range(draws)],
        MEMORISER: [x[rows] + _JITTER * deviation * noise() for rows in some[draws:]],
    }
    return found


def quality(
    samples: Mapping[str, Sequence[Tensor]],
    train: Tensor,
    held_out: Tensor,
    *,
    draws: int | None = None,
    seed: int = 0,
) -> list[Quality]:
    """Score sets of generated codes against held-out codes, between the floor and the baseline of `baselines`.

        score = (E(samples) - E(training codes)) / (E(independent Gaussians) - E(training codes)),
        E(x) = 2 mean |x_i - h_j| - mean over i < j of |x_i - x_j| - mean over i < j of |h_i - h_j|

    E is the energy distance to the held-out codes h (a U-statistic, in float64), of codes standardised by the training
    codes' mean and deviation, and the mean over the sets of a row. A V-statistic, which counts each code with itself
    too, would reward sets that are narrower than the data where few codes are held out. All sets are as large as the
    held-out one. The interval resamples rows of the held-out codes and of every set, 200 times.

    Args:
        samples: sets of each model by its name, (R, *code) each, in the units of the codes.
        train: training codes, (S, *code).
        held_out: (R, *code), R at least 2.
        draws: sets of each baseline; None is as many as the models have.
        seed: of the baselines and of the resampling.

    Returns:
        The models in their order, then the baselines.

    Raises:
        ValueError: a set differs in shape from the held-out codes, holds NaN or infinity, or is missing, or there are
            fewer than 2 held-out codes.

    References:
        Székely, Rizzo (2013). Energy Statistics: A Class of Statistics Based on Distances.
    """
    most = max([len(sets) for sets in samples.values()], default=1)
    return Scale(train, held_out, draws or most, seed).score(samples)


class Scale:
    """Held-out codes and the baselines between which models are scored: `quality`, with its baselines drawn once.

    Args:
        train, held_out, draws, seed: as in `quality`.

    Raises:
        ValueError: as for `quality`.
    """

    def __init__(self, train: Tensor, held_out: Tensor, draws: int, seed: int = 0) -> None:
        at_least(2, held_out=len(held_out))
        if train.shape[1:] != held_out.shape[1:]:
            raise ValueError(
                f"train: must be codes of shape {tuple(held_out.shape[1:])} as held_out, got {tuple(train.shape[1:])}"
            )
        self.held_out = held_out
        self._train, self._draws, self._seed = train, draws, seed
        self._place = Real(train.flatten(1).shape[1]).double()
        self._place.fit(train.flatten(1))
        self._held, self._known = (self._place(each.flatten(1).double()) for each in (held_out, train))
        self._weights = _weights(len(held_out), 1 + _RESAMPLINGS, stream("quality bootstrap", seed))
        self._within = _within(self._weights, _distances(self._held, self._held))  # (1 + resamplings,)
        self._typical = _nearest(self._held, self._known).median()

    def score(self, samples: Mapping[str, Sequence[Tensor]]) -> list[Quality]:
        """The quality of each model's sets, then that of the baselines; samples as in `quality`."""
        for name, sets in samples.items():
            self._check(name, sets)
        rows = {**{name: self._row(sets) for name, sets in samples.items()}, **self._baselines}
        floor, baseline = rows[FLOOR].energy, rows[INDEPENDENT].energy
        resolved = bool((baseline - floor)[1:].quantile(0.025) > 0)
        found = []
        for name, row in rows.items():
            score = (row.energy - floor) / (baseline - floor)
            low, high = score[1:].quantile(score.new_tensor([0.025, 0.975])).tolist()
            novelty = float(row.nearest.median() / self._typical)
            found.append(Quality(name, float(score[0]), (low, high), float(row.energy[0]), novelty, resolved))
        return found

    @cached_property
    def _baselines(self) -> dict[str, "_Row"]:
        drawn = baselines(self._train, len(self.held_out), self._draws, self._seed)
        return {name: self._row(sets) for name, sets in drawn.items()}

    def _check(self, name: str, sets: Sequence[Tensor]) -> None:
        shape = self.held_out.shape
        if not sets:
            raise ValueError(f"{name}: must be one set of codes or more, got none")
        for each in sets:
            if each.shape != shape:
                raise ValueError(f"{name}: must be sets of shape {tuple(shape)}, got {tuple(each.shape)}")
            if not bool(each.isfinite().all()):
                raise ValueError(f"{name}: a code is not finite (the model has diverged; lower its lr)")

    def _row(self, sets: Sequence[Tensor]) -> "_Row":
        """What is kept of one row's sets, which are measured one by one: their distances would fill the memory."""
        energies, nearest = [], []
        for i, each in enumerate(sets):
            x = self._place(each.flatten(1).double().cpu())
            energies.append(self._energies(x, stream("quality set", self._seed, i)))
            nearest.append(_nearest(x, self._known))
        return _Row(torch.stack(energies).mean(0), torch.cat(nearest))

    def _energies(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The energy distance with equal weights, then with those of every resampling, (1 + resamplings,)."""
        own = _weights(len(x), len(self._weights), generator)  # (1 + resamplings, R)
        across = ((own @ _distances(x, self._held)) * self._weights).sum(1)
        return 2 * across - _within(own, _distances(x, x)) - self._within


@dataclass(frozen=True)
class _Row:
    energy: Tensor  # (1 + resamplings,), the mean over the sets
    nearest: Tensor  # (R * sets,), distance of each code to its nearest training code


def _weights(rows: int, count: int, generator: torch.Generator) -> Tensor:
    """Equal weights first, then those of drawing as many rows with replacement: (count, rows), 1 in all."""
    drawn = torch.randint(rows, (count - 1, rows), generator=generator)
    weights = torch.zeros(count, rows, dtype=torch.float64)
    weights[0] = 1.0
    weights[1:].scatter_add_(1, drawn, torch.ones(drawn.shape, dtype=torch.float64))
    return weights / rows


def _within(weights: Tensor, distances: Tensor) -> Tensor:
    """The mean distance of two different rows, which are drawn by these weights, (count,).

    A row that a resampling drew twice is not counted with itself: its copies would be at no distance.
    """
    pairs = 1 - weights.square().sum(1)  # 0 if a resampling drew one row alone
    return ((weights @ distances) * weights).sum(1) / torch.where(pairs > 0, pairs, 1.0)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _nearest(x: Tensor, known: Tensor) -> Tensor:
    """Distance of each row to the nearest known one, (R,)."""
    return torch.cat([_distances(part, known).amin(1) for part in x.split(256)])
