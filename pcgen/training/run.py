"""A run: a trained model in the units of its data, from the folder that its training left."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pcgen.data.boxes import move
from pcgen.data.clouds import Clouds
from pcgen.data.normalization import Normalization
from pcgen.data.origin import ZERO
from pcgen.errors import at_least
from pcgen.latents import anomaly_score
from pcgen.models.abilities import can
from pcgen.models.base import GenerativeModel, Learner, Progress
from pcgen.models.clouds.completion import complete
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.inference import encode_all, in_batches
from pcgen.training.cost import Cost, sampling_cost
from pcgen.training.folder import RunFolder
from pcgen.training.labels import labels_of, spread_labels

__all__ = ["Run"]


@dataclass(frozen=True)
class Run(RunFolder):
    """A run folder, whose model samples, encodes and decodes in the data's own units."""

    _loaded: dict[tuple[str | None, str], Learner] = field(default_factory=dict, init=False, repr=False, compare=False)

    def trained(self, checkpoint: str | None = None, device: str | torch.device = "cpu") -> Any:
        """The trained model as `model` gives it, loaded once for each checkpoint and device."""
        key = (checkpoint, str(device))
        if key not in self._loaded:
            self._loaded[key] = self.model(checkpoint, device=device)
        return self._loaded[key]

    def generator(self, checkpoint: str | None = None, device: str | torch.device = "cpu") -> GenerativeModel:
        """The trained model, which generates, as `trained` gives it.

        Raises:
            ValueError: it does not generate.
        """
        model = self.trained(checkpoint, device)
        if isinstance(model, GenerativeModel):
            return model
        name = self.config["model"]["name"]
        if can(model, "decode"):
            raise ValueError(
                f"{self.path}: {name} does not generate; train a head on its codes: pcgen train diffusion --codes "
                f"{self.path} --out RUN"
            )
        raise ValueError(f"{self.path}: {name} does not generate; give a run of a model that does (`pcgen models`)")

    def sample(
        self,
        n: int,
        labels: Tensor | str | Sequence[str] | None = None,
        *,
        checkpoint: str | None = None,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
        **options: Any,
    ) -> Tensor:
        """Draw n new clouds in the data's own units, (n, points, 3) on the CPU, in batches of bounded memory.

        A normalisation of each cloud by itself is undone at the training clouds' mean place and size.

        Args:
            n: how many.
            labels: of a model with classes: (n,) int64; or a class, or several, which share the n evenly in that order;
                None are labels as frequent as in training.
            checkpoint, device: as in `model`.
            progress: called with how many are drawn, and of how many.
            **options: of the model's sampling.

        Raises:
            ValueError: the model does not generate, or does not know a label or an option.
        """
        model = self.generator(checkpoint, device)
        if labels is not None and not isinstance(labels, Tensor):
            labels = spread_labels(model.classes, [labels] if isinstance(labels, str) else labels, n)
        return self._in_data_units(model, model.sample(n, labels=labels, progress=progress, **options).cpu())

    def cost(
        self, n: int, *, checkpoint: str | None = None, device: str | torch.device = "cpu", **options: Any
    ) -> Cost:
        """The memory and time that `sample(n)` will take, from a trial of a second or so; nothing drawn later changes.

        Raises:
            ValueError: the model does not generate, n is below 1, or an option that it does not know.
        """
        at_least(1, n=n)
        model = self.generator(checkpoint, device)
        wide = _of_clouds(model) and self.normalization.origin != ZERO
        return sampling_cost(model, n, 8 if wide else 4, **options)

    def encode(
        self,
        clouds: Tensor | Clouds,
        *,
        own: bool = False,
        checkpoint: str | None = None,
        device: str | torch.device = "cpu",
    ) -> Tensor:
        """Codes (S, *code) of clouds in the data's own units, (S, N, 3).

        Those of a head are its autoencoder's, which `decode` takes. With `own`, they are what the head itself makes of
        them: positions on the map of a som, weights of an nmf's parts, the code of a vae.

        Raises:
            ValueError: the model has no codes (of its own), or learns rows of another shape.
        """
        model = self._with_codes(checkpoint, device)
        head: Any = getattr(model, "head", None)
        if own and (head is None or not can(head, "encode")):
            name = self.config["model"].get("name") if head is None else type(head).__name__
            reason = "which is no head" if head is None else "a head without codes of its own"
            raise ValueError(f"own: {self.path} is a run of {name}, {reason}; leave it out for the autoencoder's codes")
        codes = encode_all(model, self._rows(model, clouds))
        return (encode_all(head, model.to_head(codes)) if own else codes).cpu()

    def decode(self, codes: Tensor, *, checkpoint: str | None = None, device: str | torch.device = "cpu") -> Tensor:
        """Clouds (S, points, 3) of codes (S, *code), in the data's units, at the training clouds' place and size.

        Raises:
            ValueError: the model does not decode, or its codes have another shape.
        """
        model = self._with_codes(checkpoint, device, decoded=True)
        shape = getattr(model, "code_shape", None)
        if shape is not None and codes.shape[1:] != tuple(shape):
            wanted = ", ".join(map(str, ("S", *shape)))
            raise ValueError(f"codes: must be ({wanted}), those of this run, got {tuple(codes.shape)}")
        codes = codes.float() if codes.is_floating_point() else codes
        return self._in_data_units(model, in_batches(model, model.decode, codes).cpu())

    def reconstruct(
        self, clouds: Tensor | Clouds, *, checkpoint: str | None = None, device: str | torch.device = "cpu"
    ) -> Tensor:
        """What decoding makes of the codes of clouds (S, N, 3), in the data's own units: (S, points, 3).

        Each is put where its own cloud was, at its size.
        """
        model = self._with_codes(checkpoint, device, decoded=True)
        if isinstance(clouds, Tensor) and not _of_clouds(model):
            return in_batches(model, model.decode, encode_all(model, self._rows(model, clouds))).cpu()
        normalised, placement = self.normalization.place(clouds)
        return placement.undo(in_batches(model, model.decode, encode_all(model, normalised)).cpu())

    def boxes(
        self, clouds: Tensor | Clouds, *, checkpoint: str | None = None, device: str | torch.device = "cpu"
    ) -> Tensor:
        """The boxes of the objects that are found in scenes (S, N, 3), in the data's own units: (S, K, 6) float64.

        Centre and size, NaN where there is no object.

        Raises:
            ValueError: the model finds no objects.
        """
        model = self.trained(checkpoint, device)
        if not can(model, "boxes"):
            raise ValueError(
                f"{self.path}: a run of {self.config['model'].get('name')}, which finds no objects; train air or dair"
            )
        normalised, placement = self.normalization.place(clouds)
        found = in_batches(model, model.boxes, normalised).cpu().double()
        return move(found, -placement.offset / placement.size, 1 / placement.size)

    def anomaly_score(
        self, clouds: Tensor | Clouds, *, checkpoint: str | None = None, device: str | torch.device = "cpu"
    ) -> Tensor:
        """How strange clouds in the data's own units, (S, N, 3), are to the model, (S,): `pcgen.latents.anomaly_score`.

        Raises:
            ValueError: the model has no density, no bound on one, and no codes.
        """
        model = self.trained(checkpoint, device)
        found: Tensor = in_batches(model, lambda x: anomaly_score(model, x), self._rows(model, clouds))
        return found.cpu()

    def complete(
        self,
        clouds: Tensor | Clouds | Sequence[Tensor | Clouds],
        n: int = 4,
        labels: Tensor | str | Sequence[str] | None = None,
        *,
        checkpoint: str | None = None,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
        **options: int,
    ) -> Tensor:
        """Complete each of S partial clouds in n ways, in the data's own units: (S, n, points, 3) on the CPU.

        Where every training cloud was normalised by itself, a partial one, whose whole's place and size are not known,
        is taken to be of a cloud of the training clouds' mean place and size, and a warning says so.

        Args:
            clouds: (S, P, 3); or one cloud each, (P, 3) or `Clouds`, whose numbers of points may differ.
            n: completions of each.
            labels: of a model with classes: (S,) int64; or a class of all, or one of each; None are all classes.
            checkpoint, device: as in `model`.
            progress: called with how many clouds are done, and of how many.
            **options: `candidates` and `steps` of `pcgen.models.clouds.completion.complete`.

        Raises:
            ValueError: the run is no head on codes of clouds, or what `complete` raises.
        """
        model = self.trained(checkpoint, device)
        if not isinstance(model, LatentCloudModel):
            name = self.config["model"].get("name")
            raise ValueError(
                f"{self.path}: a run of {name}, which cannot complete clouds; give a head on an autoencoder's codes: "
                "pcgen train diffusion --codes RUN_OF_AUTOENCODER --out RUN"
            )
        here = self.normalization
        if here.each:
            warnings.warn(
                f"{self.path}: every training cloud was normalised by itself ({here.name}), which a part of one cannot "
                "be: the partial clouds are taken to be of clouds of the training clouds' mean place and size",
                stacklevel=2,
            )
            here = Normalization("global_std", here.offset, here.size, fitted=True, origin=here.origin)
        sets = [clouds] if isinstance(clouds, Clouds) else [x[None] if isinstance(x, Tensor) else x for x in clouds]
        parts = [cloud for each in sets for cloud in here.apply(each)]
        known = [list(each.names) if isinstance(each, Clouds) else [""] * len(each) for each in sets]
        names = [name or f"cloud {place}" for place, name in enumerate(name for own in known for name in own)]
        if labels is not None and not isinstance(labels, Tensor):
            labels = labels_of(model.classes, [labels] * len(parts) if isinstance(labels, str) else labels)
        found = complete(model, parts, n, labels=labels, names=names, progress=progress, **options).cpu()
        return torch.stack([here.undo(ways) for ways in found])

    def _rows(self, model: Learner, clouds: Tensor | Clouds) -> Tensor:
        """Clouds in the model's units; or vectors or sets as they are, in float32."""
        if not isinstance(clouds, Tensor) or _of_clouds(model):
            return self.normalization.apply(clouds)
        shape = model.shape
        if clouds.dim() != 1 + len(shape) or clouds.shape[-1] != shape[-1]:
            wanted = ", ".join(map(str, ("S", *shape)))
            raise ValueError(f"clouds: must be ({wanted}), rows of this run's model, got {tuple(clouds.shape)}")
        return clouds.float()

    def _in_data_units(self, model: Learner, x: Tensor) -> Tensor:
        return self.normalization.undo(x) if _of_clouds(model) else x

    def _with_codes(self, checkpoint: str | None, device: str | torch.device, decoded: bool = False) -> Any:
        """The model, which must have codes, and decode them if they are to be decoded."""
        model = self.trained(checkpoint, device)
        decodes = can(model, "decode")
        codes = can(model, "encode") and (decodes or getattr(model, "code_shape", None) is not None)
        if not codes or (decoded and not decodes):
            name = self.config["model"].get("name")
            raise ValueError(
                f"{self.path}: a run of {name}, which {'cannot decode its' if codes else 'has no'} codes; give the run "
                "folder of an autoencoder, or of a head on its codes"
            )
        return model


def _of_clouds(model: Learner) -> bool:
    """Whether it makes clouds; vectors have no place and size."""
    return len(model.shape) == 2 and model.shape[1] == 3
