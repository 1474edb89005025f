"""The check of scripts/check_gpu.py that trains: a model on a device beside the same on the CPU."""

import torch
from gpu_problems import close
from torch import Tensor

from pcgen.models.base import Batch
from pcgen.models.clouds.autoencoder import Autoencoder


def check_training(reconstruction: str, steps: int, points: int, device: torch.device) -> str:
    """The same autoencoder, the same batches: the losses of two trainings stay together."""
    data = torch.rand(64, points, 3) * torch.rand(64, 1, 3)

    def losses(where: torch.device) -> Tensor:
        torch.manual_seed(0)
        model = Autoencoder((points, 3), code=32, reconstruction=reconstruction).to(where)
        order = torch.Generator().manual_seed(1)
        history = []
        for _ in range(steps):
            rows = torch.randperm(len(data), generator=order)[:16]
            history.append(sum(model.update(Batch(data[rows].to(where), rows.to(where))).values()))
        return torch.stack([torch.as_tensor(loss).cpu() for loss in history])

    found, expected = losses(device), losses(torch.device("cpu"))
    assert expected[-1] < expected[0], f"the loss does not fall: {expected[0]} to {expected[-1]}"
    return f"{steps} steps, loss {expected[0]:.3g} to {expected[-1]:.3g}, within {close(found, expected, 0.02):.1g}"
