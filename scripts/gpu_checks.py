"""The checks of scripts/check_gpu.py: every op on a device against the CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from gpu_problems import close, clouds, problems, tolerance, with_gradient
from gpu_training import check_training
from torch import Tensor

from pcgen import ops
from pcgen.ops import graph

OPS = {
    "chamfer": ("chamfer", "chamfer_with_index", "chamfer_backward"),
    "chamfer_matrix": ("nearest_matrix",),
    "emd": ("emd", "emd_backward"),
    "match": ("match",),
    "emd_matrix": ("emd_matrix",),
    "nearest": ("emd_matrix", "nearest_matrix", "match", "emd_lower_bound"),
    "neighbours": ("knn", "ball_query", "farthest_points"),
    "approxmatch": ("approxmatch", "approxmatch_matrix"),
}


@dataclass(frozen=True)
class Check:
    """`run(device)` says in a few words what was compared, and raises where it differs; `needs` names rows of OPS."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[torch.device], str]


def kernel_is_there(op: str, device: torch.device) -> bool:
    has: Callable[[str, str], bool] = torch._C._dispatch_has_kernel_for_dispatch_key
    return has(f"pcgen::{op}", device.type.upper())


def missing(names: tuple[str, ...], device: torch.device) -> list[str]:
    return [op for name in names for op in OPS[name] if not kernel_is_there(op, device)]


def check_distance(distance: Callable[[Tensor, Tensor], Tensor], sizes: tuple[int, ...], device: torch.device) -> str:
    """Value and gradient against the CPU, and a second run against the first, to the last bit."""
    worst = 0.0
    for x, y in problems(sizes):
        found = with_gradient(distance, x.to(device), y.to(device))
        again = with_gradient(distance, x.to(device), y.to(device))
        assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True)), "a second run differs from the first"
        assert torch.equal(distance(x.to(device), y.to(device)), found[0]), (
            "the value depends on whether it has a gradient"
        )
        expected = with_gradient(distance, x, y)
        worst = max(worst, close(found[0], expected[0], tolerance(x), 1e-12))
        # Where several points are nearest, or several matchings optimal, either gradient is right: only its sum is one.
        if not (x == x.round()).all():
            for a, b in zip(found[1:], expected[1:], strict=True):
                close(a, b, 100 * tolerance(x), 1e-6 / x.shape[1])
    return f"values within {worst:.1g}, gradients too, repeatable"


def check_chamfer_matrix(sizes: tuple[int, ...], device: torch.device) -> str:
    worst = 0.0
    for x, y in problems(sizes):
        for squared in (False, True):
            found = ops.nearest_means(x.to(device), y.to(device), squared=squared)
            expected = ops.nearest_means(x, y, squared=squared)
            worst = max(worst, *(close(a, b, tolerance(x), 1e-12) for a, b in zip(found, expected, strict=True)))
        symmetric = x.to(device)
        close(ops.chamfer_matrix(symmetric, symmetric), ops.chamfer_matrix(x, x), tolerance(x), 1e-12)
    return f"one-sided means within {worst:.1g}"


def check_match(sizes: tuple[int, ...], device: torch.device) -> str:
    """The matching is one, costs what it says, is optimal or within the gap, and its duals prove it."""
    worst = 0.0
    for x, y in problems(sizes):
        a, b = x.to(device), y.to(device)
        optimum = ops.match(x, y).cost
        for gap in (0.0, 0.01):
            found = ops.match(a, b, gap)
            index, places = found.index.cpu(), torch.arange(x.shape[1])
            assert torch.equal(index.sort(1).values, places.expand_as(index)), "the index is not a permutation"
            moved = (x.double() - y.double().gather(1, index[:, :, None].expand(-1, -1, 3))).norm(dim=2).mean(1)
            close(found.cost, moved, 1e-9, 1e-12)
            assert (found.gap <= gap + 1e-9).all(), f"a gap of {float(found.gap.max())} is not within {gap}"
            assert (found.lower_bound <= found.cost * (1 + 1e-12)).all(), "a lower bound is above its cost"
            assert (found.lower_bound.cpu() <= optimum * (1 + 1e-9) + 1e-12).all(), (
                "the lower bound is above the optimum"
            )
            slack = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
            slack = slack - found.x_dual.cpu()[:, :, None] - found.y_dual.cpu()[:, None, :]
            assert slack.min() >= -1e-7 * (1 + optimum.max()), f"the duals are not feasible, by {float(slack.min())}"
            if gap == 0:
                worst = max(worst, close(found.cost, optimum, 1e-9, 1e-12))
        close(ops.match(a, b, start=found.y_dual).cost, optimum, 1e-9, 1e-12)
    return f"optimal within {worst:.1g}, certified, warm starts too"


def check_emd_matrix(sizes: tuple[int, ...], device: torch.device) -> str:
    worst = 0.0
    for x, y in problems(sizes):
        worst = max(worst, close(ops.emd_matrix(x.to(device), y.to(device)), ops.emd_matrix(x, y), 1e-9, 1e-12))
    return f"within {worst:.1g}"


def check_nearest(sizes: tuple[int, ...], device: torch.device) -> str:
    points = max(sizes)
    a, b = torch.rand(6, points, 3), torch.rand(9, points, 3) * torch.rand(9, 1, 3)
    found, expected = ops.nearest(a.to(device), b.to(device), 2), ops.nearest(a, b, 2)
    assert torch.equal(found.index.cpu(), expected.index), "other clouds are nearest"
    return f"the same clouds, distances within {close(found.distance, expected.distance, 1e-9):.1g}"


def check_neighbours(sizes: tuple[int, ...], device: torch.device) -> str:
    """The same to the last bit, where the CPU has fused products; otherwise the same distances."""
    exact = ops.build_info()["instruction_set"] != "portable"
    for x, y in problems(sizes):
        a, b = x.to(device), y.to(device)
        for k in {1, min(20, x.shape[1]), min(100, x.shape[1])}:
            found, expected = ops.knn(a, b, k), ops.knn(x, y, k)
            close(found[0], expected[0], 0 if exact else tolerance(x))
            if exact:
                assert torch.equal(found[1].cpu(), expected[1]), "knn finds other points"
                inside = ops.ball_query(a, b, 0.5, k)
                assert torch.equal(inside.cpu(), ops.ball_query(x, y, 0.5, k)), "ball_query finds other points"
        start = torch.randint(x.shape[1], (len(x),))
        if exact:
            chosen = ops.farthest_points(a, x.shape[1] // 2 + 1, start.to(device))
            assert torch.equal(chosen.cpu(), ops.farthest_points(x, x.shape[1] // 2 + 1, start)), (
                "other farthest points"
            )
    return "identical" if exact else "the same distances (the CPU's portable kernels round otherwise)"


def check_graph(device: torch.device) -> str:
    """Edges between clouds of unequal sizes in one tensor, of points and of features."""
    batch = torch.arange(5).repeat_interleave(torch.tensor([90, 40, 1, 90, 7]))
    lines = []
    for x in (torch.rand(len(batch), 3), torch.randint(0, 2, (len(batch), 16)).float()):
        here, there = (x, batch), (x.to(device), batch.to(device))
        pairs = [[graph.knn(p, p, 5, b, b) for p, b in (here, there)]]
        if x.shape[1] == 3:
            pairs.append([graph.radius(p, p, 0.3, b, b) for p, b in (here, there)])
            pairs.append([graph.fps(p, b, 0.4, random_start=False) for p, b in (here, there)])
        assert all(torch.equal(a, b.cpu()) for a, b in pairs), "other edges"
        lines.append(f"{pairs[0][0].shape[1]} edges in {x.shape[1]} dimensions")
    return ", ".join(lines)


def check_approxmatch(sizes: tuple[int, ...], device: torch.device) -> str:
    worst = 0.0
    for points in sizes:
        for x, y in clouds(3, points).values():
            for convention in ops.APPROXMATCH_CONVENTIONS:
                found = ops.approxmatch(x.to(device), y.to(device), convention)
                worst = max(worst, close(found, ops.approxmatch(x, y, convention), 1e-4, 1e-6))
    return f"within {worst:.1g}"


def check_registration(quick: bool, device: torch.device) -> str:
    """torch's own checks of every op that has a kernel: schema, fake tensors, autograd (not if quick)."""
    x, y = torch.rand(2, 9, 3, device=device), torch.rand(2, 9, 3, device=device)
    start = torch.tensor([0, 6], device=device)
    inputs: dict[str, tuple[object, ...]] = {
        "chamfer": (x, y),
        "chamfer_with_index": (x.clone().requires_grad_(), y),
        "nearest_matrix": (x, y, True),
        "emd": (x.clone().requires_grad_(), y, 0.0),
        "match": (x, y, 0.0, None),
        "emd_matrix": (x, y, 0.0),
        "knn": (x, y, 3),
        "ball_query": (x, y, 0.3, 3),
        "farthest_points": (x, 3, start),
        "approxmatch": (x, y, True, False),
    }
    there = [op for op in inputs if kernel_is_there(op, device)]
    tests = ["test_schema", "test_faketensor"]
    if not quick:
        tests += ["test_autograd_registration", "test_aot_dispatch_dynamic"]
    for op in there:
        torch.library.opcheck(getattr(torch.ops.pcgen, op).default, inputs[op], test_utils=tests)
    return ", ".join(there)


def check_stream(device: torch.device) -> str:
    """On a stream of the caller's: what was queued there before is waited for."""
    if device.type != "cuda":
        return "skipped: streams are CUDA's"
    x, y = clouds(4, 500)["cubes"]
    stream, a = torch.cuda.Stream(device), torch.zeros_like(x, device=device)
    calls = {"chamfer": ops.chamfer, "emd": ops.emd, "knn": lambda x, y: ops.knn(x, y, 4)[0]}
    done = [op for op in calls if kernel_is_there(op, device)]
    for op in done:
        b = y.to(device)
        a.zero_()
        torch.cuda.synchronize(device)
        with torch.cuda.stream(stream):
            torch.cuda._sleep(100_000_000)  # some 50 ms, in which the default stream would read zeros
            a.copy_(x)
            found = calls[op](a, b)
        stream.synchronize()
        close(found, calls[op](x, y), 1e-6)
    return ", ".join(done)


def check_second_device(device: torch.device) -> str:
    if device.type != "cuda" or torch.cuda.device_count() < 2:
        return f"skipped: one {device.type} device"
    x, y = clouds(4, 300)["cubes"]
    with torch.cuda.device(0):
        found = ops.chamfer(x.to("cuda:1"), y.to("cuda:1"))
    assert found.device == torch.device("cuda:1"), f"the result is on {found.device}"
    return f"chamfer on cuda:1 within {close(found, ops.chamfer(x, y), 1e-6):.1g}"


def checks(quick: bool) -> list[Check]:
    sizes, small = ((1, 70), (1, 40)) if quick else ((1, 257, 2048), (1, 100, 700))
    points, steps = (48, 8) if quick else (256, 20)
    return [
        Check("chamfer", ("chamfer",), partial(check_distance, ops.chamfer, sizes)),
        Check("chamfer_matrix, nearest_means", ("chamfer_matrix",), partial(check_chamfer_matrix, sizes)),
        Check("emd", ("emd",), partial(check_distance, ops.emd, small)),
        Check("match", ("match",), partial(check_match, small)),
        Check("emd_matrix", ("emd_matrix",), partial(check_emd_matrix, small)),
        Check("nearest", ("nearest",), partial(check_nearest, small)),
        Check("knn, ball_query, farthest_points", ("neighbours",), partial(check_neighbours, sizes)),
        Check("graph", ("neighbours",), check_graph),
        Check("approxmatch", ("approxmatch",), partial(check_approxmatch, small)),
        Check("registration (opcheck)", (), partial(check_registration, quick)),
        Check("the caller's stream", (), check_stream),
        Check("a second device", ("chamfer",), check_second_device),
        Check("training, chamfer", ("chamfer",), partial(check_training, "chamfer", steps, points)),
        Check("training, emd", ("emd",), partial(check_training, "emd", steps, points)),
    ]
