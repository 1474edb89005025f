"""Completion of partial clouds: several likely clouds that contain the part."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.base import Progress
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.nets.modes import evaluating
from pcgen.ops import farthest_points, knn, nearest_means

__all__ = ["CANDIDATES", "STEPS", "complete", "filled"]

CANDIDATES = 1000
STEPS = 100

_RATE = 0.05  # of Adam, in deviations of the codes
_PENALTY = 0.1  # of a code one deviation from the mean in every dimension, in distances of the best candidate
_CROWD = 2  # codes that the n are chosen from, times n
_LEAST_NEW = 0.1  # of a decoded cloud's points: one that lacks fewer, in number and in place, is whole


def complete(
    model: LatentCloudModel,
    partial: Tensor | Sequence[Tensor],
    n: int = 4,
    *,
    labels: Tensor | None = None,
    names: Sequence[str] | None = None,
    candidates: int = CANDIDATES,
    steps: int = STEPS,
    progress: Progress | None = None,
) -> Tensor:
    """Complete each partial cloud in n ways: search among samples of the head, and optimise the best ones.

    With d(p, c) = mean over a in p of min over b in c of |a - b|^2, the one-sided distance from the partial cloud p to
    a whole one c: of `candidates` codes z of the head, n different ones with small d(p, decode(z)) are chosen. From
    each, Adam minimises

        d(p, decode(z)) / d_0 + 0.1 mean over dimensions of ((z - m) / s)^2

    with m and s the mean and standard deviation of the candidates, and d_0 the smallest distance. A completion consists
    of the partial cloud and the decoded points that are farthest from it, so that it has the model's number of points.
    If the partial cloud has more points than the decoded one has in the same region, it is subsampled to that number by
    farthest points.

    Args:
        model: an autoencoder and a trained head.
        partial: clouds (S, P, 3), or one tensor (P, 3) for each, in the units and the position of the model's clouds.
        n: completions of each.
        labels: for a model with classes: the class of each partial cloud, (S,) int64; None is all classes.
        names: of the partial clouds, for messages; None is "cloud 0", "cloud 1", ...
        candidates: number of sampled codes, from torch's global generator, for all clouds of one label together.
        steps: of the optimisation.
        progress: called after every partial cloud with the number that is done, and the total.

    Returns:
        (S, n, points, 3) on the model's device; the n in the order of the candidates' distances, the best first.

    Raises:
        ValueError: the model has no head; a partial cloud is empty or has NaN; some are whole already, of which all are
            named; n is below 1 or above the candidates; or the model does not accept these labels.
    """
    if not isinstance(model, LatentCloudModel):
        raise ValueError(f"model: must be an autoencoder with a head on its codes, got {type(model).__name__}")
    at_least(1, n=n)
    at_least(n, candidates=candidates)
    at_least(0, steps=steps)
    named = [f"cloud {place}" for place in range(len(partial))] if names is None else list(names)
    clouds = [_checked(cloud, name).to(model.device) for cloud, name in zip(partial, named, strict=True)]
    at_least(1, **{"partial clouds": len(clouds)})
    if labels is not None and labels.shape != (len(clouds),):
        raise ValueError(
            f"labels: must be one for each of {len(clouds)} partial clouds, got shape {tuple(labels.shape)}"
        )
    completed: dict[int, Tensor] = {}
    whole: list[str] = []
    for label in [None] if labels is None else sorted(set(labels.tolist())):
        codes = _draw(model, candidates, label)
        decoded = model.decode(codes)  # (K, N, 3)
        for place, cloud in enumerate(clouds):
            if labels is None or int(labels[place]) == label:
                completed[place], new = _complete(model, cloud, codes, decoded, n, steps)
                if max(new, decoded.shape[1] - len(cloud)) < _LEAST_NEW * decoded.shape[1]:
                    whole.append(f"{named[place]} (of {len(cloud)} points, {new} of the model's lie where it has none)")
                if progress is not None:
                    progress(len(completed), len(clouds))
    if whole:  # told at the end, so that none is left to be told the next time
        raise ValueError(
            f"partial: whole already: {', '.join(whole)}; leave out what is whole, give a part of it, or decode its "
            "code (Run.reconstruct)"
        )
    return torch.stack([completed[place] for place in range(len(clouds))])


def fit_distance(partial: Tensor, clouds: Tensor) -> Tensor:
    """One-sided mean squared distance from a partial cloud (P, 3) to each of n others (n, N, 3): (n,), differentiable.

    d(p, c) = mean over a in p of min over b in c of |a - b|^2
    """
    seen = partial.expand(len(clouds), -1, -1)
    _, index = knn(seen, clouds.detach(), 1)  # (n, P, 1)
    return (seen - clouds.gather(1, index.expand(-1, -1, 3))).square().sum(2).mean(1)


def _checked(cloud: Tensor, name: str) -> Tensor:
    if not isinstance(cloud, Tensor) or cloud.ndim != 2 or cloud.shape[1] != 3:
        found = tuple(cloud.shape) if isinstance(cloud, Tensor) else type(cloud).__name__
        raise ValueError(f"partial: must be clouds (S, P, 3) or tensors (P, 3), {name} is {found}")
    if len(cloud) == 0:
        raise ValueError(f"partial: {name} is empty; leave it out, or draw new clouds with `sample`")
    bad = int((~cloud.isfinite().all(1)).sum())
    if bad:
        raise ValueError(f"partial: {name} has {bad} points of NaN or infinity; leave them out (--drop-bad)")
    return cloud.detach().float()


@torch.no_grad()
def _draw(model: LatentCloudModel, count: int, label: int | None) -> Tensor:
    """Codes (count, *code) that the head draws."""
    labels = None if label is None else torch.full((count,), label)
    return model.to_head.inverse(model.head.sample(count, labels=labels))


def _complete(
    model: LatentCloudModel, partial: Tensor, codes: Tensor, decoded: Tensor, n: int, steps: int
) -> tuple[Tensor, int]:
    """n completions (n, N, 3) of a partial cloud (P, 3), from candidates (K, *code) and what they decode to.

    Also the number of points of the best of them that lie where the partial cloud has none.
    """
    fits = nearest_means(partial[None], decoded, squared=True)[0][0]  # (K,)
    mean, deviation = codes.mean(0), codes.std(0, correction=0)
    likely = (codes - mean) / deviation.clamp_min(torch.finfo(codes.dtype).tiny)
    chosen = _choose(fits, likely.flatten(1), n)
    clouds = model.decode(_descend(model, partial, codes[chosen], likely[chosen], deviation, float(fits.min()), steps))
    gaps = _gaps(partial, clouds)  # (n, N)
    seen = _seen(partial, clouds, gaps)
    best = int(fit_distance(partial, clouds).argmin())
    return filled(partial, clouds), clouds.shape[1] - int(seen[best])


def filled(partial: Tensor, clouds: Tensor) -> Tensor:
    """Clouds (n, N, 3) whose points near a partial cloud (P, 3) are replaced by its own, (n, N, 3).

    If the partial cloud has more points than a cloud has in the same region, it is subsampled to that number by
    farthest points.
    """
    gaps = _gaps(partial, clouds)  # (n, N)
    seen = _seen(partial, clouds, gaps)
    return torch.stack([_filled(partial, *each) for each in zip(clouds, gaps, seen, strict=True)])


def _choose(fits: Tensor, likely: Tensor, n: int) -> Tensor:
    """Rows of n candidates, the best first: of the best 2n each is the farthest code from those before it."""
    best = fits.topk(min(_CROWD * n, len(fits)), largest=False).indices  # best first
    apart = torch.cdist(likely[best], likely[best])
    chosen = [0]
    while len(chosen) < n:
        nearest = apart[:, chosen].amin(1)
        nearest[chosen] = -1  # of codes that are all one, each is taken once
        chosen.append(int(nearest.argmax()))
    return best[sorted(chosen)]


def _descend(
    model: LatentCloudModel, partial: Tensor, codes: Tensor, likely: Tensor, deviation: Tensor, unit: float, steps: int
) -> Tensor:
    """Codes (n, *code) from which a descent of the completion's loss has come."""
    autoencoder, moved = model.autoencoder, torch.zeros_like(codes, requires_grad=True)
    optimizer = torch.optim.Adam([moved], _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    unit = max(unit, torch.finfo(codes.dtype).tiny)
    with evaluating(autoencoder), torch.enable_grad():
        for _ in range(steps):
            clouds = autoencoder.decode(codes + moved * deviation)
            loss = fit_distance(partial, clouds) / unit + _PENALTY * (likely + moved).square().flatten(1).mean(1)
            # Of the codes alone: the weights are not ours to fill with gradients.
            (moved.grad,) = torch.autograd.grad(loss.sum(), moved)
            optimizer.step()
            schedule.step()
    return (codes + moved * deviation).detach()


def _gaps(partial: Tensor, clouds: Tensor) -> Tensor:
    """How far each point of clouds (n, N, 3) lies from a partial one (P, 3): (n, N)."""
    squares, _ = knn(clouds, partial.expand(len(clouds), -1, -1), 1)
    return squares[..., 0].sqrt()


def _seen(partial: Tensor, clouds: Tensor, gaps: Tensor) -> list[int]:
    """How many points of each of clouds (n, N, 3) lie where a partial one (P, 3) has points."""
    # Two samplings of one surface lie about as far from each other as their points from their neighbours.
    counts: list[int] = (gaps <= _spacing(clouds) + _spacing(partial[None])).sum(1).tolist()
    return counts


def _spacing(clouds: Tensor) -> Tensor:
    """Mean distance of the points of clouds (n, N, 3) to their nearest neighbours: (n, 1)."""
    squares, _ = knn(clouds, clouds, min(2, clouds.shape[1]))
    return squares[..., -1].sqrt().mean(1, keepdim=True)


def _filled(partial: Tensor, cloud: Tensor, gaps: Tensor, seen: int) -> Tensor:
    """At most `seen` points of a partial cloud (P, 3), and those of a decoded one farthest from it: (N, 3) in all."""
    kept = partial
    if len(partial) > seen:
        start = torch.zeros(1, dtype=torch.int64, device=partial.device)
        kept = partial[farthest_points(partial[None], max(1, seen), start)[0]]
    return torch.cat([kept, cloud[gaps.topk(len(cloud) - len(kept)).indices]])
