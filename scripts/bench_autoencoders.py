"""Autoencoders at equal time: what each makes of clouds that it has seen, and of others; resumable.

python scripts/bench_autoencoders.py --minutes 2.5 --out runs/autoencoders
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import figures
import torch
import typer
from timed import fit_once

from pcgen import data, metrics, ops, training
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.models.clouds.resampling import resample
from pcgen.models.inference import encode_all, in_batches

SHAPES = figures.ROOT.parent / "shared" / "data" / "ldraw_parts.npz"
PAPER = {"name": "fully_connected", "widths": [256, 256], "norm": None}
ALL = {"seen": None, "gap": 0.0}
ADAM = {"matrix_lr": 0.0}
# How the default changes each batch of fewer than 1,000 clouds.
CHANGED = {"stretch": 0.15, "mirror": 0.5, "centred": True}


def _changed(**amounts: float) -> dict[str, Any]:
    """Options of a training whose changes of batches differ from the default's."""
    return {"augment": data.Augmentation(**{**CHANGED, **amounts})}


# What is changed of the defaults: the model, its arguments, the training's options.
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "default": ("autoencoder", {}, {}),
    "before": (
        "autoencoder",
        {"decoder": PAPER, "betas": (0.9, 0.999), "coarse": (0, 0), "even": False, **ADAM, **ALL},
        {"batch_size": 32, "average": 0.0, "warmup": 0, "clip": 0.0, "augment": data.Augmentation()},
    ),
    "all points seen, exact matchings": ("autoencoder", ALL, {}),
    "not coarse at first": ("autoencoder", {"coarse": (0, 0)}, {}),
    "Adam for matrices too": ("autoencoder", ADAM, {}),
    "random points": ("autoencoder", {"even": False}, {}),
    "Chamfer": ("autoencoder", {"reconstruction": "chamfer"}, {}),
    "decoder of the paper, 256-256": ("autoencoder", {"decoder": PAPER}, {}),
    "decoder patches": ("autoencoder", {"decoder": "patches"}, {}),
    "decoder folding": ("autoencoder", {"decoder": "folding"}, {}),
    "decoder residual": ("autoencoder", {"decoder": "residual"}, {}),
    "decoder attention": ("autoencoder", {"decoder": "attention"}, {}),
    "no averages": ("autoencoder", {}, {"average": 0.0}),
    "Adam's usual moments": ("autoencoder", {"betas": (0.9, 0.999)}, {}),
    "code of 256": ("autoencoder", {"code": 256}, {}),
    "code of 64": ("autoencoder", {"code": 64}, {}),
    "not changed at random": ("autoencoder", {}, {"augment": data.Augmentation()}),
    "half rotated too": ("autoencoder", {}, _changed(rotation=180, rotated=0.5)),
    "rotated too": ("autoencoder", {}, _changed(rotation=180)),
    "stretched twice as much": ("autoencoder", {}, _changed(stretch=0.3)),
    "set of 32 tokens": ("set_autoencoder", {}, {}),
}


def main(
    shapes: Annotated[Path, typer.Option(help="Real shapes with classes and splits, .npz.")] = SHAPES,
    classes: Annotated[str, typer.Option(help="Classes of them, with commas between.")] = "Technic",
    chairs: Annotated[int, typer.Option(help="Built-in chairs, a tenth of them held out.")] = 1000,
    variants: Annotated[str, typer.Option(help="Names with semicolons between; all if not given.")] = "",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    minutes: Annotated[float, typer.Option(help="Of training, each.")] = 2.5,
    only: Annotated[str, typer.Option(help="Sets with commas between, by name; all if not given.")] = "",
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/autoencoders"),
) -> None:
    """Train every variant on every set for the same time, and measure what it decodes; other rows are kept."""
    sets = {"shapes:chair": f"shapes:chair={chairs}"}
    if shapes.is_file():
        sets |= {f"ldraw_parts:{name}": f"{shapes}:{name}" for name in classes.split(",") if name}
    if only:
        sets = {name: sets[name] for name in only.split(",")}
    chosen = [name.strip() for name in variants.split(";")] if variants else list(VARIANTS)
    kept = figures.of_others("autoencoders", data=sets, variant=chosen)
    rows: list[dict[str, object]] = []
    for of, spec in sets.items():
        measured = _Measured(spec, points)
        for name in chosen:
            row = measured.row(name, out / of.replace(":", "_") / name.replace(" ", "_").replace(",", ""), minutes)
            rows.append({"data": of, "points": points, "minutes": minutes, "variant": name, **row})
            print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
            figures.write("autoencoders", rows, kept)


class _Measured:
    """The clouds that variants are trained on and measured against."""

    def __init__(self, spec: str, points: int) -> None:
        self.points = points
        self.source = training_set(spec, points=points)
        test = data.load(f"{spec}@test", at_least=2 * points, surface_points=2 * points)
        self.test, self.again = (part.contiguous() for part in test.points.split(points, dim=1)[:2])
        self.train = thin(self.source.train, points, 1)
        self.train_again = thin(self.source.train, points, 2)
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
        self.rows = order[: len(self.test)]

    def row(self, name: str, folder: Path, minutes: float) -> dict[str, object]:
        """The figures of one variant, trained or taken from its folder."""
        model, config, settings = VARIANTS[name]
        torch.manual_seed(0)
        job = training.on_clouds(model, self.source, self.points, **config)
        run = fit_once(job, folder, minutes, **settings)
        trained = run.model()
        weights = sum(value.numel() for value in trained.parameters())

        def decoded(clouds: torch.Tensor) -> torch.Tensor:
            return in_batches(trained, trained.decode, encode_all(trained, clouds))

        known = decoded(self.train)
        torch.manual_seed(0)
        drawn = {"even": known[self.rows], "decoded": resample(known[self.rows])}
        report = metrics.evaluate(self.train[self.rows], self.test, oracles=drawn, emd_clouds=None)
        found = {row.name: row for row in report.rows}
        return {
            "steps": run.history[-1]["step"],
            "weights": weights,
            "emd_train": _mean(ops.emd, known, self.train_again),
            "emd_test": _mean(ops.emd, decoded(self.test), self.again),
            "emd_floor": _mean(ops.emd, self.test, self.again),
            **{
                f"{metric}_{short}{end}": round(100 * value, 1)
                for short, role in (("train", "samples"), ("even", "even"), ("decoded", "decoded"))
                for metric in ("one_nna_cd", "one_nna_emd")
                for end, value in zip(
                    ("", "_low", "_high"), (found[role].values[metric], *found[role].intervals[metric]), strict=True
                )
            },
            "clouds": len(self.rows),
        }


def _mean(distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> float:
    return round(float(distance(a, b).mean()), 5)


if __name__ == "__main__":
    typer.run(main)
