"""Metrics on the features of trained models, beside the others in a report."""

from dataclasses import replace

import pytest
import torch

from pcgen.data import Normalization
from pcgen.metrics import FeatureSpace, evaluate, frechet_distance, protocol
from pcgen.metrics.identity import Identity
from pcgen.models.classifiers.pointnet import PointNetClassifier
from pcgen.models.classifiers.pointnet2 import PointNet2Classifier
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.clouds.set_autoencoder import SetAutoencoder
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.mixtures.gaussian import Gaussian
from pcgen.models.scenes.draw import DRAW
from pcgen.statistics import median_bandwidths, two_sample_test


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
    name = f"fcd[pointnet_classifier, pn, {Identity.of(model).hash}]"
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
    name = f"energy[autoencoder, {Identity.of(model, '', place).hash}]"
    with torch.no_grad():
        x, y = (model.encode(place.apply(each)) for each in (samples, reference))
        expected = two_sample_test(x, y)
        kernel = two_sample_test(x, y, "kernel_mmd", bandwidths=median_bandwidths(y))
    assert values[name] == pytest.approx(expected.value, rel=1e-5)
    assert values[f"{name} p"] == expected.p_value
    assert values[name.replace("energy", "kernel_mmd")] == pytest.approx(kernel.value, rel=1e-5)


def test_a_name_tells_two_trainings_apart(sets):
    torch.manual_seed(0)
    model = Autoencoder((24, 3), code=8)
    before = Identity.of(model)
    assert Identity.of(model) == before
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    after = Identity.of(model, "runs/ae")
    assert after.hash != before.hash and after.metric("energy") == f"energy[autoencoder, ae, {after.hash}]"


def test_one_model_under_two_normalisations_gives_two_metrics(sets):
    model = Autoencoder((24, 3), code=8).eval()
    spaces = [FeatureSpace(model, "ae", Normalization(name)) for name in ("unit_sphere", "unit_box")]
    values = evaluate(*sets, distances=(), features=spaces).values
    names = [Identity.of(model, "ae", each.normalization).metric("energy") for each in spaces]
    alone = [evaluate(*sets, distances=(), features=[each]).values for each in spaces]
    assert names[0] != names[1] and alone[0][names[0]] != alone[1][names[1]]
    for name, own in zip(names, alone, strict=True):
        assert values[name] == own[name]


def test_a_model_of_vectors_has_no_features_of_clouds():
    with pytest.raises(ValueError, match="must be a classifier or encode clouds, Gaussian does neither"):
        FeatureSpace(Gaussian((2,)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SetAutoencoder((24, 3), tokens=4, channels=2), r"SetAutoencoder encodes them as sets \(4, 2\), whose"),
        (lambda: DRAW((24, 3), steps=2, hidden=8, code=3), r"DRAW encodes them as sets \(2, 3\), whose order would"),
        (
            lambda: LatentCloudModel(
                SetAutoencoder((24, 3), tokens=4, channels=2), Diffusion((4, 2), times=3, width=8)
            ),
            r"LatentCloudModel encodes them as sets \(4, 2\)",
        ),
        (lambda: PointNet2Classifier((24, 6), ("ball", "rod")), "must see points alone, PointNet2Classifier sees 6"),
    ],
    ids=["set codes", "codes of steps", "a model of set codes", "normals"],
)
def test_a_model_that_cannot_be_compared_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        FeatureSpace(make())


def test_one_kernel_measures_all_sets_so_that_a_farther_one_scores_more():
    y = torch.randn(100, 5, generator=torch.Generator().manual_seed(1))
    found = []
    for place in (2.0, 5.0, 20.0, 100.0):
        x = place + 0.1 * torch.randn(100, 5, generator=torch.Generator().manual_seed(2))
        found.append(two_sample_test(x, y, "kernel_mmd", bandwidths=median_bandwidths(y), permutations=1).value)
    assert found == sorted(found)


def test_features_are_of_clouds_in_the_units_of_the_data(sets):
    """The protocol dpm scales every cloud for its distances; the autoencoder has learned clouds as they are."""
    samples, reference = sets
    model = Autoencoder((24, 3), code=8).eval()
    space = [FeatureSpace(model)]
    values = {
        name: evaluate(samples, reference, protocol=replace(protocol(name), points=24), distances=(), features=space)
        for name in ("exact", "dpm")
    }
    name = f"energy[autoencoder, {Identity.of(model, '', space[0].normalization).hash}]"
    assert values["exact"].values[name] == values["dpm"].values[name]


def test_a_model_in_training_stays_in_training(sets):
    model = Autoencoder((24, 3), code=8).train()
    FeatureSpace(model).compare(*sets)
    assert model.training


def test_one_cloud_has_no_distribution(sets):
    samples, reference = sets
    with pytest.raises(ValueError, match="samples: must be two clouds or more to be compared by features"):
        evaluate(samples[:1], reference, distances=(), features=[FeatureSpace(Autoencoder((24, 3), code=8))])
