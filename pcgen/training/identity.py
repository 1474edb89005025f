"""What a run remembers of its model, its data and its versions."""

import hashlib
from typing import Any

import torch
from torch import Tensor

import pcgen
from pcgen.models import Learner, describe

__all__ = ["data_identity", "describe_model", "versions"]


def describe_model(model: Learner) -> dict[str, Any]:
    """The model's description; for one that has none, its class, and the reason under a name of None."""
    try:
        return describe(model)
    except ValueError as error:
        kind = type(model)
        return {"name": None, "class": f"{kind.__module__}:{kind.__qualname__}", "reason": str(error)}


def versions() -> dict[str, str]:
    """What the numbers of a training depend on besides its configuration."""
    return {"pcgen": pcgen.__version__, "torch": torch.__version__}


def data_identity(data: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
    """Shape and SHA-256 of the training data and its labels."""
    digest = hashlib.sha256()
    for tensor in (data.to(torch.float32), labels):
        if tensor is not None:
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return {"shape": list(data.shape), "sha256": digest.hexdigest()}
