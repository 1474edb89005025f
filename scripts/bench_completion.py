"""Completion of test clouds that a half-space cuts, against other samplings of the whole ones; resumable.

python scripts/bench_completion.py --out runs/completion
"""

from pathlib import Path
from typing import Annotated, Any

import figures
import torch
import typer
from torch import Tensor

from pcgen import data, training
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.metrics.intervals import mean_interval
from pcgen.models.clouds.completion import CANDIDATES, STEPS, complete, filled
from pcgen.ops import chamfer, emd, nearest_means
from pcgen.seeds import stream
from pcgen.training import Options

SHAPES = figures.ROOT.parent / "shared" / "data" / "ldraw_parts.npz"
SHARES = (0.5, 0.25)


def main(
    shapes: Annotated[
        Path, typer.Option(help="Real shapes with classes and splits, .npz; left out if absent.")
    ] = SHAPES,
    one: Annotated[str, typer.Option(help="The class of them that is taken.")] = "Technic",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    minutes: Annotated[float, typer.Option(help="Of training, for each autoencoder.")] = 3.0,
    head: Annotated[str, typer.Option(help="The model of the codes.")] = "diffusion",
    effort: Annotated[float, typer.Option(help="Multiplies the head's default number of steps.")] = 1.0,
    most: Annotated[int, typer.Option(help="Test clouds that are cut, at most.")] = 100,
    n: Annotated[int, typer.Option("-n", help="Completions of each.")] = 4,
    candidates: Annotated[int, typer.Option(help="Codes drawn to begin from.")] = CANDIDATES,
    steps: Annotated[int, typer.Option(help="Of the descent.")] = STEPS,
    out: Annotated[
        Path, typer.Option(help="The folder of the runs; what is trained there is not trained again.")
    ] = Path("runs/completion"),
) -> None:
    """Train an autoencoder and a head on each set, complete cut test clouds, and score what comes out."""
    sets = {"shapes:chair": "shapes:chair=1000"}
    if shapes.is_file():
        sets[f"{shapes.stem}:{one}"] = f"{shapes}:{one}"
    rows: list[dict[str, object]] = []
    for name, spec in sets.items():
        model, source = trained(spec, out / name.replace(":", "_"), points, minutes, head, effort)
        test = source.normalization.apply(data.load(f"{spec}@test", at_least=2 * points, surface_points=2 * points))
        # The given points are of one sampling, and completions are compared with another one: a point that is only
        # kept is then no nearer to the whole cloud than a new one at its place.
        whole, other = (part.contiguous() for part in test[:most, : 2 * points].split(points, dim=1))
        train = thin(source.train, points, 0)
        for share in SHARES:
            partial = cut(whole, share)
            torch.manual_seed(0)
            ways = {
                f"completion by {head}": complete(model, partial, n, candidates=candidates, steps=steps),
                **baselines(model, partial, whole, train, n),
            }
            for way, clouds in ways.items():
                rows.append({"data": name, "share": share, "clouds": len(whole), "way": way, **scores(clouds, other)})
                print(*(f"{key} {value}" for key, value in rows[-1].items()))
            figures.write("completion", rows)


def trained(spec: str, folder: Path, points: int, minutes: float, head: str, effort: float) -> tuple[Any, Any]:
    """A head on an autoencoder's codes, each trained once, and the training set."""
    source = training_set(spec, points=points)
    torch.manual_seed(0)
    job = training.on_clouds("autoencoder", source, points)
    job.fit(folder / "autoencoder", Options(seed=0, minutes=minutes), resume="auto", progress=True)
    codes = training.read_codes(folder / "autoencoder")
    torch.manual_seed(0)
    latent = training.on_codes(head, codes)
    latent.fit(folder / head, Options(seed=0).scaled(latent.learner.recipe, effort), resume="auto", progress=True)
    return training.Run.open(folder / head).model(), source


def cut(whole: Tensor, share: float) -> Tensor:
    """The share of each cloud's points on one side of a plane of random direction: (S, N, 3) -> (S, share N, 3)."""
    direction = torch.randn(len(whole), 1, 3, generator=stream("completion cut", share))
    rows = (whole * direction).sum(2).argsort(1)[:, : round(share * whole.shape[1])]
    return whole.gather(1, rows[..., None].expand(-1, -1, 3))


def baselines(model: Any, partial: Tensor, whole: Tensor, train: Tensor, n: int) -> dict[str, Tensor]:
    """What completion is measured beside, each (S, 1 or n, N, 3); with the given points kept as a completion has them.

    The whole cloud itself and what is decoded of its code are no completions, but bounds.
    """
    nearest = train[nearest_means(partial, train, squared=True)[0].topk(n, largest=False).indices]  # (S, n, N, 3)
    of_part = model.decode(model.encode(partial))[:, None]
    kept, kept_of_part = (torch.stack([*map(filled, partial, clouds)]) for clouds in (nearest, of_part))
    return {
        "nearest training cloud": kept[:, :1],
        f"{n} nearest training clouds": kept,
        "code of the part": kept_of_part,
        "code of the whole": model.decode(model.encode(whole))[:, None],
        "the whole cloud": whole[:, None],
    }


def scores(clouds: Tensor, whole: Tensor) -> dict[str, object]:
    """Distances of n clouds (S, n, N, 3) to the whole one: of the best and the mean, with intervals over the S."""
    ways = clouds.shape[1]
    found: dict[str, object] = {}
    for name, distance in (("cd", chamfer), ("emd", emd)):
        each = torch.stack([distance(clouds[:, way].contiguous(), whole) for way in range(ways)], 1)  # (S, n)
        for kind, values in (("best", each.amin(1)), ("mean", each.mean(1))):
            low, high = mean_interval(values, seed=0)
            found |= {f"{name}_{kind}": figure(values.mean()), f"{name}_{kind}_low": figure(low)}
            found |= {f"{name}_{kind}_high": figure(high)}
    pairs = [(i, j) for i in range(ways) for j in range(i)]
    apart = [emd(clouds[:, i].contiguous(), clouds[:, j].contiguous()).mean() for i, j in pairs]
    return {**found, "diversity_emd": figure(torch.stack(apart).mean()) if apart else ""}


def figure(value: Tensor | float) -> float:
    """Four figures of a number."""
    return float(f"{float(value):.4g}")


if __name__ == "__main__":
    typer.run(main)
