"""Metrics on the features of trained models, beside the others in a report."""

import pytest
import torch

from pcgen.data import Normalization
from pcgen.metrics import FeatureSpace, evaluate, frechet_distance, two_sample_test
from pcgen.metrics.identity import Identity
from pcgen.models.classifiers.pointnet import PointNetClassifier
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.mixtures.gaussian import Gaussian


@pytest.fixture(scope="module")
def sets() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(7, 24, 3, generator=generator) * torch.tensor([1.0, 0.5, 0.2])
    return samples, torch.randn(7, 24, 3, generator=generator)


def test_a_classifier_gives_the_frechet_distance_of_every_row(sets):
    samples, reference = sets
    torch.manual_seed(0)
    model = PointNetClassifier((24, 3), ("ball", "rod"), code=16).eval()
    report = evaluate(samples, reference, reference + 0.1, distances=(), features=[FeatureSpace(model, "runs/pn")])
    name = f"fcd[pointnet_classifier, runs/pn, {Identity.of(model).hash}]"
    with torch.no_grad():
        expected = frechet_distance(model.features(samples), model.features(reference))
    assert report.rows[0].values[name] == pytest.approx(float(expected), rel=1e-5)
    assert report.rows[0].values[f"{name} chance"] > 0
    assert report.rows[1].name == "training set" and name in report.rows[1].values
    assert any("singular covariance of 256 features" in note for note in report.notes)


def test_an_autoencoder_gives_tests_on_codes_of_normalised_clouds(sets):
    samples, reference = sets
    torch.manual_seed(0)
    model = Autoencoder((24, 3), code=8).eval()
    place = Normalization("unit_sphere").fit(reference)
    values = evaluate(samples, reference, distances=(), features=[FeatureSpace(model, "", place)]).values
    name = f"energy[autoencoder, {Identity.of(model).hash}]"
    with torch.no_grad():
        expected = two_sample_test(model.encode(place.apply(samples)), model.encode(place.apply(reference)))
    assert values[name] == pytest.approx(expected.value, rel=1e-5)
    assert values[f"{name} p"] == expected.p_value
    assert values[f"{name.replace('energy', 'kernel_mmd')} p"] <= 1


def test_a_name_tells_two_trainings_apart(sets):
    torch.manual_seed(0)
    model = Autoencoder((24, 3), code=8)
    before = Identity.of(model)
    assert Identity.of(model) == before
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    after = Identity.of(model, "runs/ae")
    assert after.hash != before.hash and after.metric("energy") == f"energy[autoencoder, runs/ae, {after.hash}]"


def test_a_model_of_vectors_has_no_features_of_clouds():
    with pytest.raises(ValueError, match="must be a classifier or encode clouds, Gaussian does neither"):
        FeatureSpace(Gaussian((2,)))
