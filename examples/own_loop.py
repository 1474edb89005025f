"""The Earth Mover's distance as the loss of your own training loop: python examples/own_loop.py

A network maps points of a square to points of a chair. This does not use pcgen's training.
"""

import argparse

import torch

from pcgen import data, ops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60, help="updates")
    parser.add_argument("--points", type=int, default=256, help="points of the cloud")
    asked = parser.parse_args()
    torch.manual_seed(0)

    target = data.load("shapes:chair=1", points=asked.points).points  # (1, N, 3)
    square = torch.rand(1, asked.points, 2)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 128), torch.nn.SiLU(), torch.nn.Linear(128, 128), torch.nn.SiLU(), torch.nn.Linear(128, 3)
    )
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)

    for step in range(asked.steps):
        # A matching within 2% of the optimum is enough for gradient descent, and faster than the optimum.
        loss = ops.emd(network(square), target, gap=0.02).mean()
        optimizer.zero_grad()
        loss.backward()  # the gradient is that of the matched points, for both clouds
        optimizer.step()
        if step % (asked.steps // 4 or 1) == 0:
            print(f"step {step}: {float(loss):.4f}")

    with torch.no_grad():
        print(f"at the end, exact: {float(ops.emd(network(square), target).mean()):.4f}")


if __name__ == "__main__":
    main()
