"""Distances between two clouds, and the certificate of a matching: python examples/distances.py"""

import argparse

import torch

from pcgen import data, ops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1024, help="points of each cloud")
    parser.add_argument(
        "--gap", type=float, default=0.05, help="allowed gap of the approximate matching, as a share of its cost"
    )
    asked = parser.parse_args()

    chairs = data.load("shapes:chair=2", points=asked.points).points
    x, y = chairs[:1], chairs[1:]  # (1, N, 3) each: distances take batches of pairs

    print(
        f"Chamfer: {float(ops.chamfer(x, y)):.5f}, the mean squared distance to the nearest point, in both directions"
    )
    print(f"Hausdorff: {float(ops.hausdorff(x, y)):.5f}, the largest distance to a nearest point")

    exact, quick = ops.match(x, y), ops.match(x, y, gap=asked.gap)
    for name, matching in (("exact", exact), (f"gap {asked.gap:g}", quick)):
        cost, bound, gap = (float(each) for each in (matching.cost, matching.lower_bound, matching.gap))
        print(f"EMD, {name}: {cost:.5f}; no matching costs less than {bound:.5f}, so it is within {gap:.2%}")

    moved = torch.stack([cloud[index] for cloud, index in zip(y, exact.index, strict=True)])  # point i of x, matched
    print(f"the same by hand: {float((x - moved).norm(dim=2).mean()):.5f}")


if __name__ == "__main__":
    main()
