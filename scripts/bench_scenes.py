"""Models of scenes: counts, counts that no training scene has, boxes, and what readers tell from codes; resumable.

python scripts/bench_scenes.py --out runs/scenes
"""

from pathlib import Path
from typing import Annotated

import figures
import torch
import typer
from torch import Tensor

from pcgen import data, training
from pcgen.data.boxes import count_boxes
from pcgen.data.training_set import training_set
from pcgen.metrics.accuracy import Accuracy, accuracy
from pcgen.models.abilities import can
from pcgen.models.inference import encode_all
from pcgen.studies.scenes import TASKS, answer, found, read
from pcgen.training import Options

REACH = 0.1  # of a box's centre from its shape's; the floor's side is 1
UNSEEN = 4  # the count that no training scene has
UNTRAINED = "*untrained*"
CONFIG = {"vae": {"scale": 0.003}}  # as draw has it: with that of single shapes, scenes are alike and codes stay unused


def main(
    scenes: Annotated[int, typer.Option(help="Built-in scenes, a tenth of them for tests.")] = 10_000,
    labelled: Annotated[int, typer.Option(help="Training scenes that readers learn from, at most.")] = 1000,
    models: Annotated[str, typer.Option(help="Models with commas between.")] = "air,dair,draw,vae",
    points: Annotated[int, typer.Option(help="Points of each scene.")] = 256,
    updates: Annotated[int, typer.Option(help="Of every model.")] = 1000,
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/scenes"),
) -> None:
    """Train every model on scenes of 0 to 3 shapes, and ask it about others, and about scenes of 4."""
    path = out / "scenes.npz"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        data.save(path, data.load(f"shapes:scene={scenes}", points=4 * points))
    known = ",".join(name for name in data.load(str(path)).classes if not name.startswith(str(UNSEEN)))
    source = training_set(f"{path}:{known}", points=points)
    test = data.load(f"{path}@test", points=points)
    train = data.load(f"{path}@train", points=points)
    rows: list[dict[str, object]] = []
    for name in [*models.split(","), UNTRAINED]:
        torch.manual_seed(0)
        job = training.on_clouds(name if name != UNTRAINED else "autoencoder", source, points, **CONFIG.get(name, {}))
        row: dict[str, object] = {"model": name, "updates": 0, "test_scenes": len(test), **_blank()}
        if name == UNTRAINED:
            codes = [encode_all(job.learner, source.normalization.apply(each)) for each in (train, test)]
        else:
            job.fit(out / name, Options(seed=0, steps=updates), resume="auto", progress=True)
            run = training.Run.open(out / name)
            row["updates"] = run.history[-1]["step"]
            if can(run.trained(), "boxes"):
                row |= _counted(run.boxes(test), test)
            codes = [run.encode(each) for each in (train, test)]
        for task in TASKS:
            row |= _read(task, train, test, codes, labelled)
        rows.append(row)
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        figures.write("scenes", rows)


def _blank() -> dict[str, object]:
    names = ("count", "count_unseen")
    shares = {f"{name}{end}": "" for name in names for end in ("", "_low", "_high")}
    return {**shares, "shapes_found": "", "boxes_right": ""}


def _counted(boxes: Tensor, test: data.Clouds) -> dict[str, object]:
    """How often the count is right, and which boxes are."""
    counts = count_boxes(boxes)
    assert test.counts is not None and test.boxes is not None
    seen = test.counts < UNSEEN
    pairs, shapes, own = found(boxes[seen], test.boxes[seen], REACH)
    return {
        **_share("count", accuracy(counts[seen], test.counts[seen])),
        **_share("count_unseen", accuracy(counts[~seen], test.counts[~seen])),
        "shapes_found": round(pairs / shapes, 4),
        "boxes_right": round(pairs / max(own, 1), 4),
    }


def _read(task: str, train: data.Clouds, test: data.Clouds, codes: list[Tensor], labelled: int) -> dict[str, object]:
    """What a reader of codes knows about the task, of scenes of as many shapes as the model has seen."""
    asked: list[tuple[Tensor, Tensor]] = []
    for clouds, own in zip((train, test), codes, strict=True):
        right = [answer(task, int(name.partition("/")[2])) for name in clouds.names]
        rows = [row for row, each in enumerate(right) if each is not None and int(clouds.counts[row]) < UNSEEN]
        rows = rows[:labelled] if clouds is train else rows
        asked.append((own[rows], torch.tensor([right[row] for row in rows])))
    (learned, answers), (unseen, right_ones) = asked
    reading = _share(f"read_{task}", read(learned, answers, unseen, right_ones))
    chance = right_ones.unique(return_counts=True)[1].max() / len(right_ones)
    return {**reading, f"chance_{task}": round(float(chance), 4), f"scenes_{task}": len(right_ones)}


def _share(name: str, found: Accuracy) -> dict[str, object]:
    low, high = found.interval
    return {name: round(found.overall, 4), f"{name}_low": round(low, 4), f"{name}_high": round(high, 4)}


if __name__ == "__main__":
    typer.run(main)
