"""Heads on the codes of one autoencoder at equal time, each changed in one thing; resumable.

python scripts/bench_heads.py --out runs/heads
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import figures
import torch
import typer
from draws import Judge
from timed import fit_once
from torch import Tensor

from pcgen import data, training
from pcgen.data.thinning import thin
from pcgen.data.training_set import training_set
from pcgen.models.adversarial.base import Adversarial
from pcgen.models.base import Batch, Learner
from pcgen.models.clouds.resampling import resample
from pcgen.models.inference import in_batches
from pcgen.training.history import used_row

# What is changed of the defaults: the model, its arguments, the training's options.
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "diffusion": ("diffusion", {}, {}),
    "schedule linear": ("diffusion", {"schedule": "linear"}, {}),
    "nothing dropped out": ("diffusion", {"dropout": 0.0}, {}),
    "a tenth dropped out": ("diffusion", {"dropout": 0.1}, {}),
    "three tenths dropped out": ("diffusion", {"dropout": 0.3}, {}),
    "rate .001": ("diffusion", {"lr": 1e-3}, {}),
    "rate .004": ("diffusion", {"lr": 4e-3}, {}),
    "width 512": ("diffusion", {"width": 512}, {}),
    "6 blocks": ("diffusion", {"blocks": 6}, {}),
    "batches of 64": ("diffusion", {}, {"batch_size": 64}),
    "batches of 512": ("diffusion", {}, {"batch_size": 512}),
    "flow_matching": ("flow_matching", {}, {}),
    "flow_matching, coupling independent": ("flow_matching", {"coupling": "independent"}, {}),
    "flow_matching, rate .001": ("flow_matching", {"lr": 1e-3}, {}),
    "parzen": ("parzen", {}, {}),
    "parzen, scale .6": ("parzen", {"scale": 0.6}, {}),
    "parzen, scale 1.2": ("parzen", {"scale": 1.2}, {}),
    "parzen, 4 neighbours": ("parzen", {"neighbours": 4}, {}),
    "parzen, 20 neighbours": ("parzen", {"neighbours": 20}, {}),
    "parzen, noise .3": ("parzen", {"noise": 0.3}, {}),
    "gan": ("gan", {}, {}),
    "wgan_gp": ("wgan_gp", {}, {}),
    "f_gan": ("f_gan", {}, {}),
}
# Other ways to draw by what is trained already: its name, the checkpoint, the options of drawing.
DRAWN: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "not stretched": ("diffusion", None, {"match": False}),
    "flow_matching, not stretched": ("flow_matching", None, {"match": False}),
    "gan": ("gan", "last", {}),
    "gan, least validation": ("gan", "best", {}),
    "wgan_gp": ("wgan_gp", "last", {}),
    "wgan_gp, least validation": ("wgan_gp", "best", {}),
    "f_gan": ("f_gan", "last", {}),
    "f_gan, least validation": ("f_gan", "best", {}),
}


def main(
    shapes: Annotated[str, typer.Option(help="A set with splits, SOURCE[:CLASS].")] = "shapes:chair=2000",
    variants: Annotated[str, typer.Option(help="Names with semicolons between; all if not given.")] = "",
    points: Annotated[int, typer.Option(help="Points of each cloud.")] = 1024,
    autoencoder: Annotated[float, typer.Option(help="Minutes of the autoencoder's training.")] = 7.0,
    minutes: Annotated[float, typer.Option(help="Of each head's training.")] = 3.0,
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/heads"),
) -> None:
    """Train an autoencoder, then every variant on its codes for the same time, and measure what they draw.

    Rows of other variants are kept.
    """
    source = training_set(shapes, points=points)
    torch.manual_seed(0)
    fit_once(training.on_clouds("autoencoder", source, points), out / "autoencoder", autoencoder)
    codes = training.read_codes(out / "autoencoder")
    test = data.load(f"{shapes}@test", at_least=points, surface_points=2 * points).points[:, :points].contiguous()
    judge = Judge(test, source.normalization.undo(thin(source.train, points, 0)))

    decoded = in_batches(codes.autoencoder, codes.autoencoder.decode, codes.train)
    known = {"variant": "training set decoded", "steps": "", "loss_train": "", "loss_held_out": ""}
    chosen = [name.strip() for name in variants.split(";")] if variants else [*dict.fromkeys([*VARIANTS, *DRAWN])]
    kept = figures.of_others("heads", data=[shapes], variant=[known["variant"], *chosen])
    rows: list[dict[str, object]] = []

    def tell(row: dict[str, object]) -> None:
        rows.append({"data": shapes, "points": points, "clouds": len(test), "minutes": minutes, **row})
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
        figures.write("heads", rows, kept)

    tell({**known, **judge(judge.some(source.normalization.undo(resample(decoded)).cpu()))})
    for name in chosen:
        trained, checkpoint, options = DRAWN.get(name, (name, None, {}))
        model, config, settings = VARIANTS[trained]
        torch.manual_seed(0)
        job = training.on_codes(model, codes, **config)
        with patch.object(Adversarial, "early_choice", True):  # to measure the checkpoint that would not be kept
            run = fit_once(job, out / trained.replace(" ", "_").replace(",", ""), minutes, **settings)
        torch.manual_seed(0)
        found = judge(partial(run.sample, len(test), checkpoint=checkpoint, **options))
        learner = run.trained(checkpoint)
        losses = {"loss_train": _loss(learner, codes.train), "loss_held_out": _loss(learner, codes.held_out)}
        row = used_row(run.history, checkpoint == "best")
        tell({"variant": name, "steps": row["step"] if row else "", **losses, **found})


def _loss(learner: Learner, rows: Tensor) -> float:
    """The model's own loss of codes: a mean over enough draws of times and noise for the third digit."""
    torch.manual_seed(0)
    return sum(float(learner.validate(Batch(rows))) for _ in range(20)) / 20


if __name__ == "__main__":
    typer.run(main)
