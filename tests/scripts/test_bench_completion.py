"""The benchmark of completion, at a tiny size."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

WAYS = ("completion by diffusion", "nearest training cloud", "2 nearest training clouds", "code of the part")
BOUNDS = ("code of the whole", "the whole cloud")


def _near(x: Tensor, y: Tensor) -> Tensor:
    """Distance of each point of x (S, P, 3) to the nearest of y (S, N, 3): (S, P)."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").amin(2)


def test_ways_are_compared_with_another_sampling_of_the_whole_cloud(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    program, tables = script("bench_completion"), script("generation_tables")
    sizes = {"points": 32, "minutes": 0.005, "effort": 0.01, "most": 3, "n": 2, "candidates": 20, "steps": 2}
    program.main(shapes=tmp_path / "none.npz", one="", head="diffusion", out=tmp_path, **sizes)
    rows = script("figures").read("completion")
    assert [(row["share"], row["way"]) for row in rows] == [
        (share, way) for share in ("0.5", "0.25") for way in (*WAYS, *BOUNDS)
    ]
    # Equal only if the given points were among those that ways are compared with.
    assert all(float(row["emd_best"]) > 0.01 for row in rows if row["way"] == "the whole cloud")
    assert "| the whole cloud |" in tables.completion(rows)


def test_ways_keep_the_given_points_as_completions_do(script: Callable[[str], Any]) -> None:
    torch.manual_seed(0)
    whole, train = torch.rand(2, 64, 3), torch.rand(5, 64, 3)
    program = script("bench_completion")
    partial = program.cut(whole, 0.25)
    assert partial.shape == (2, 16, 3) and (_near(partial, whole) == 0).all()
    model = SimpleNamespace(encode=lambda clouds: clouds.mean(1), decode=lambda codes: train[: len(codes)])
    found = program.baselines(model, partial, whole, train, 3)
    assert list(found) == ["nearest training cloud", "3 nearest training clouds", *WAYS[3:], *BOUNDS]
    assert [clouds.shape[1] for clouds in found.values()] == [1, 3, 1, 1, 1]
    for way in ("nearest training cloud", "3 nearest training clouds", "code of the part"):
        for clouds in found[way].unbind(1):
            kept = (_near(clouds, partial) == 0).sum(1)
            assert clouds.shape == (2, 64, 3) and (kept > 4).all() and (kept <= 16).all()
    assert torch.equal(found["the whole cloud"][:, 0], whole)
