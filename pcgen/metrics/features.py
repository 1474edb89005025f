"""Sets of clouds compared by a trained model's features."""

from dataclasses import dataclass, field

from torch import Tensor

from pcgen.data import Clouds, Normalization
from pcgen.metrics.frechet import frechet_classifier_distance
from pcgen.metrics.identity import Identity
from pcgen.models import Learner
from pcgen.models.abilities import can
from pcgen.models.classifiers.base import Classifier
from pcgen.models.inference import encode_all
from pcgen.statistics import median_bandwidths, two_sample_test

__all__ = ["FeatureSpace"]


@dataclass(frozen=True)
class FeatureSpace:
    """A trained model whose features of clouds are compared, for each row of an evaluation.

    A classifier gives the Frechet distance of its features. Any other model that encodes clouds as vectors gives the
    energy distance and the kernel MMD of its codes, each with the p-value of a permutation test. The kernels' widths
    depend on the reference's codes only, so all sets are measured by one kernel. The name of each metric contains the
    model's name, run and hash; that of codes is of the normalisation too.

    Attributes:
        model: a classifier, or a model that encodes clouds as vectors; it sees points alone.
        run: the name of its run folder, for the metrics' names.
        normalization: the normalisation of the clouds on which it was trained; a classifier has its own.

    Raises:
        ValueError: the model is neither a classifier nor encodes clouds, sees normals, or encodes clouds as sets.
    """

    model: Learner
    run: str = ""
    normalization: Normalization = field(default_factory=lambda: Normalization("none"))

    def __post_init__(self) -> None:
        of_clouds = len(getattr(self.model, "shape", ())) == 2
        if not can(self.model, "encode") or not of_clouds:
            raise ValueError(
                f"model: must be a classifier or encode clouds, {type(self.model).__name__} does neither; "
                "`pcgen train autoencoder` and `pcgen classify --supervised` make such runs"
            )
        if self.model.shape[1] != 3:
            raise ValueError(
                f"model: must see points alone, {type(self.model).__name__} sees {self.model.shape[1]} channels, and "
                "generated clouds have no normals; give another run"
            )
        # A model of codes encodes as its autoencoder does.
        code = getattr(getattr(self.model, "autoencoder", self.model), "code_shape", ())
        if len(code) > 1:
            raise ValueError(
                f"model: must encode clouds as vectors, {type(self.model).__name__} encodes them as sets {code}, whose "
                "order would count; `pcgen train autoencoder` makes runs with vectors"
            )

    def compare(
        self, clouds: Tensor | Clouds, reference: Tensor | Clouds, seed: int = 0
    ) -> tuple[dict[str, float], tuple[str, ...]]:
        """The metrics of clouds (S, N, 3) against a reference (R, N, 3), by name, and notes on them.

        Both sets must be in the units of the model's training data.

        Raises:
            ValueError: a set has fewer than two clouds.
        """
        if isinstance(self.model, Classifier):
            found = frechet_classifier_distance(clouds, reference, self.model, run=self.run, seed=seed)
            return {found.name: found.value, f"{found.name} chance": found.chance}, found.notes
        identity = Identity.of(self.model, self.run, self.normalization)
        x, y = (encode_all(self.model, self.normalization.apply(each)) for each in (clouds, reference))
        values: dict[str, float] = {}
        widths = median_bandwidths(y)
        for statistic in ("energy", "kernel_mmd"):
            test = two_sample_test(x, y, statistic, bandwidths=widths, seed=seed)
            name = identity.metric(statistic)
            values |= {name: test.value, f"{name} chance": test.chance, f"{name} p": test.p_value}
        told = ", ".join(f"{width:.3g}" for width in widths)
        return values, (f"{identity.metric('kernel_mmd')}: widths {told}, from the reference's codes",)
