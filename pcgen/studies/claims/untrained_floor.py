"""How far an encoder that has learned nothing separates classes. An expensive claim: minutes on one thread."""

import torch
from torch import Tensor

from pcgen.data.augmentation import Augmentation
from pcgen.metrics.svm import linear_svm
from pcgen.models.inference import encode_all
from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.clouds import CODE, shapes
from pcgen.studies.claims.judging import Difference
from pcgen.studies.claims.learning import learned, new

__all__ = ["CLAIM"]

_RIGHT = "share of clouds classified rightly"
_CHANCE, _UNTRAINED, _TRAINED = "chance", "the untrained encoder", "the trained one"
_FAMILIES = ["airplane", "car", "chair", "lamp", "mug", "table"]
_CHANGES = Augmentation(rotation=180, jitter=0.03, stretch=0.3)


def _trial(seed: int, effort: float) -> Numbers:
    counts = [scaled(100, effort, 4), scaled(60, effort, 4)]
    (train, labels), (test, right) = ((_CHANGES(x), own) for x, own in shapes(_FAMILIES, counts, seed))
    models = {
        _UNTRAINED: new("autoencoder", train, code=CODE).eval(),
        _TRAINED: learned("autoencoder", train, scaled(300, effort), code=CODE),
    }
    known = _some(labels, scaled(10, effort, 4))
    reached = {
        name: linear_svm(encode_all(model, train[known]), labels[known], encode_all(model, test), right, seed=seed)
        for name, model in models.items()
    }
    return {_RIGHT: {_CHANCE: 1 / len(_FAMILIES), **{name: each.accuracy for name, each in reached.items()}}}


def _some(labels: Tensor, each: int) -> Tensor:
    """Places of the first so many rows of each class."""
    return torch.cat([(labels == place).nonzero().flatten()[:each] for place in labels.unique()])


CLAIM = Claim(
    name="untrained_floor",
    says="A linear SVM separates classes well on codes of an untrained encoder, and better on those of a trained one.",
    source=(
        "Achlioptas, Diamanti, Mitliagkas, Guibas (2018). Learning Representations and Generative Models for 3D Point "
        "Clouds. Saxe, Koh, Chen, Bhand, Suresh, Ng (2011). On Random Weights and Unsupervised Feature Learning."
    ),
    test=(
        "Shapes of six families, 256 points each, rotated about the up axis, stretched, and with noise on every "
        "point. `autoencoder` learns 100 of each family for 300 updates, without labels; a linear SVM learns 10 "
        "labelled shapes of each, and is tested on 60 others of each. The claim needs .1 above chance for the "
        "untrained encoder, and any improvement by training."
    ),
    comparisons=(
        Difference(_RIGHT, larger=_UNTRAINED, smaller=_CHANCE, least=0.1),
        Difference(_RIGHT, larger=_TRAINED, smaller=_UNTRAINED),
    ),
    trial=_trial,
)
