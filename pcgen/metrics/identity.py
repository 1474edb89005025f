"""The name of a trained model in metrics that depend on it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pcgen.data import Normalization
from pcgen.models import Learner, describe

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity:
    """The identity of a trained model, so that values of two models are not compared by mistake.

    Attributes:
        name: of the model in the suite, or of its class.
        run: the name of its run folder, without the path; may be empty.
        hash: of its configuration and weights, and of the normalisation of its clouds, if there is one.
    """

    name: str
    run: str
    hash: str

    @classmethod
    def of(cls, model: Learner, run: str = "", normalization: Normalization | None = None) -> "Identity":
        """The identity of a model as it is now, given clouds that are normalised so; by default those as they are."""
        description = describe(model)
        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
        if normalization is not None:
            digest.update(json.dumps(normalization.to_dict(), sort_keys=True).encode())
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return cls(str(description["name"]), Path(run).name, digest.hexdigest()[:12])

    def metric(self, name: str) -> str:
        """The name of a metric on this model's features: "fcd[pointnet_classifier, RUN, 1a2b3c4d5e6f]"."""
        return f"{name}[{', '.join(filter(None, (self.name, self.run, self.hash)))}]"
