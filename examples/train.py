"""An autoencoder and a head in Python, as run folders that the command line can use: python examples/train.py

With --minutes 3 it trains each for three minutes; without, for a few steps, only to show how it works.
"""

import argparse
import tempfile
from pathlib import Path

from pcgen import training
from pcgen.data.training_set import training_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="shapes:chair=60", help="SOURCE[:CLASS][@SPLIT]")
    parser.add_argument("--points", type=int, default=128, help="points of each cloud")
    parser.add_argument("--minutes", type=float, help="of each training")
    parser.add_argument("--head", default="gmm", help="a model of `pcgen models`")
    parser.add_argument("--out", type=Path, help="the folder of the runs (default: a temporary one)")
    asked = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        out = asked.out or Path(temporary)
        clouds = training_set(asked.data, points=asked.points)  # train and held-out rows, and how to read them again
        first = training.on_clouds("autoencoder", clouds, asked.points)
        first.fit(out / "autoencoder", options(asked.minutes, 30))

        codes = training.read_codes(out / "autoencoder")  # of the same clouds; small sets get several codes per cloud
        config = {"components": 4} if asked.head == "gmm" else {}
        second = training.on_codes(asked.head, codes, **config)
        second.fit(out / asked.head, options(asked.minutes, None))

        run = training.Run.open(out / asked.head)
        samples = run.sample(8)  # (8, points, 3), in the units of the data
        print(f"{run.path}: {run.history[-1]['step']} steps, samples {tuple(samples.shape)}")


def options(minutes: float | None, steps: int | None) -> training.Options:
    """A number of minutes if given, else of steps; None is the model's own number of steps."""
    return training.Options(minutes=minutes, steps=None if minutes else steps, seed=0)


if __name__ == "__main__":
    main()
