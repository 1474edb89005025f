"""What both classifiers promise, and what each of them alone does."""

import copy
import json

import pytest
import torch
from torch import nn

from pcgen.data import Augmentation, Clouds
from pcgen.models import CLASSIFIERS, MODELS, Batch, build, describe
from pcgen.models.classifiers.base import Classifier
from pcgen.models.inference import in_batches
from pcgen.training import fit, load

SMALL = {
    "pointnet": {"name": "pointnet_classifier", "code": 32},
    "pointnet_tnets": {"name": "pointnet_classifier", "code": 32, "tnets": True},
    "pointnet2": {
        "name": "pointnet2_classifier",
        "code": 32,
        "centres": [24, 8],
        "radii": [0.5, 1.0],
        "neighbours": [8, 8],
        "widths": [[16, 16], [32, 32], [32]],
    },
}
SMALL["pointnet2_mrg"] = {**SMALL["pointnet2"], "grouping": "multi_resolution"}
POINTS = 48
CLASSES = ("ball", "plate", "rod")


def make(name: str, classes: tuple[str, ...] = CLASSES) -> Classifier:
    model = build({"shape": [POINTS, 3], "classes": list(classes), **SMALL[name]})
    assert isinstance(model, Classifier)
    return model


def shapes(n: int, points: int = POINTS) -> tuple[torch.Tensor, torch.Tensor]:
    """Ellipsoids like balls, plates and rods, turned about y at random."""
    labels = torch.arange(n) % 3
    axes = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.1, 1.0], [1.0, 0.1, 0.1]])[labels][:, None]
    clouds = nn.functional.normalize(torch.randn(n, points, 3), dim=2) * axes
    return Augmentation(rotation=180)(clouds), labels


def trained(name: str) -> Classifier:
    """A classifier with batch norms that have seen data, so that none is the identity."""
    model, (x, labels) = make(name), shapes(24)
    model.train()
    for _ in range(3):
        model.update(Batch(x, torch.arange(24), labels))
    return model.eval()


@pytest.fixture(params=SMALL)
def name(request) -> str:
    return request.param


def test_classifiers_can_be_built_and_are_no_models_of_the_suite():
    assert {each["name"] for each in SMALL.values()} == set(CLASSIFIERS)
    assert not set(CLASSIFIERS) & set(MODELS)


def test_it_learns_its_classes_and_generalises(name):
    x, labels = shapes(192)
    test_x, test_labels = shapes(90)
    # The running statistics of PointNet++'s many batch norms need longer to settle.
    model = fit(make(name), x, labels=labels, steps=120 if "pointnet2" in name else 40, batch_size=32, seed=0)
    assert model.accuracy(test_x, test_labels) > 0.9
    assert torch.equal(model.predict(test_x), model.logits(test_x).argmax(1))


def test_it_trains_in_bfloat16(name):
    x, labels = shapes(48)
    values = []
    model = fit(make(name), x, labels=labels, steps=12, bf16=True, progress=lambda step: values.append(step.losses))
    assert values[-1]["cross_entropy"] < values[0]["cross_entropy"]
    assert all(value.dtype == torch.float32 for value in model.parameters())


def test_an_update_reaches_every_parameter(name):
    model, (x, labels) = make(name), shapes(24)
    before = copy.deepcopy(dict(model.named_parameters()))
    model.train()
    for _ in range(2):  # T-Nets end in zero weights: what lies before them moves from the second update on.
        losses = model.update(Batch(x, torch.arange(24), labels))
    assert all(value.shape == () and not value.requires_grad for value in losses.values())
    assert ("orthogonality" in losses) == (name == "pointnet_tnets")
    for key, parameter in model.named_parameters():
        assert not torch.equal(before[key], parameter), key


def test_a_saved_classifier_gives_the_same_logits_and_classes_without_data(name, tmp_path):
    x, labels = shapes(32)
    clouds = Clouds(x, labels=labels, classes=CLASSES)
    model = fit(make(name), clouds, steps=3, batch_size=16, out=tmp_path / "run")
    again = load(tmp_path / "run")
    assert isinstance(again, Classifier) and again.classes == CLASSES
    assert describe(again) == describe(model) == json.loads(json.dumps(describe(model)))
    with torch.no_grad():
        assert torch.equal(again.logits(x), model.logits(x))


def test_a_resumed_training_ends_as_one_that_was_not_stopped(name, tmp_path):
    x, labels = shapes(24)

    def train(run, **options):
        torch.manual_seed(5)  # of the first weights
        return fit(make(name), x, labels=labels, batch_size=12, seed=1, out=tmp_path / run, **options).state_dict()

    whole = train("whole", steps=4)
    train("stopped", steps=2)
    resumed = train("stopped", steps=4, resume="auto")
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_order_place_and_size_of_a_cloud_make_no_difference(name):
    model, (x, _) = trained(name), shapes(6)
    moved = 40 * x[:, torch.randperm(POINTS)] + torch.tensor([3.0, -50.0, 7.0])
    with torch.no_grad():
        torch.testing.assert_close(model.logits(moved), model.logits(x), atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(model.features(moved), model.features(x), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("points", [1, 5, 200])
def test_any_number_of_points_can_be_classified(name, points):
    model, (x, _) = trained(name), shapes(4, points)
    assert model.logits(x).shape == (4, 3) and torch.isfinite(model.logits(x)).all()
    assert model.features(x).shape == (4, 256)


def test_features_are_what_the_logits_are_linear_in(name):
    model, (x, _) = trained(name), shapes(5)
    with torch.no_grad():
        torch.testing.assert_close(model.last(model.features(x)), model.logits(x))


def test_batches_do_not_matter_and_the_mode_is_kept(name):
    model, (x, labels) = trained(name), shapes(9)
    model.train()
    parts = in_batches(model, model.logits, x, batch_size=4)
    assert model.training
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(parts, model.logits(x), atol=1e-4, rtol=1e-4)
    share = sum(int(p) == int(t) for p, t in zip(model.predict(x), labels, strict=True)) / 9
    assert model.accuracy(x, labels) == pytest.approx(share)


def test_the_loss_is_the_cross_entropy(name):
    model, (x, labels) = trained(name), shapes(7)
    with torch.no_grad():
        probability = model.logits(x).double().exp()
        probability = probability / probability.sum(1, keepdim=True)
        expected = -probability[torch.arange(7), labels].log().mean()
        assert float(model.loss(Batch(x, torch.arange(7), labels))["cross_entropy"]) == pytest.approx(float(expected))


def test_without_labels_or_with_wrong_ones_it_says_what_to_do(name):
    model, (x, _) = make(name), shapes(6)
    with pytest.raises(ValueError, match=r"labels: a PointNet2?Classifier learns from labels, got none; give labels="):
        model.loss(Batch(x, torch.arange(6)))
    with pytest.raises(ValueError, match="labels: must be indices into the 3 classes of the model, got 0 to 5"):
        model.loss(Batch(x, torch.arange(6), torch.arange(6)))


@pytest.mark.parametrize("classes", [["one"], ["a", "a"], "ab"])
def test_classes_must_be_names(name, classes):
    with pytest.raises(ValueError, match="classes: must be two different names or more, got"):
        build({"shape": [POINTS, 3], "classes": classes, **SMALL[name]})


@pytest.mark.parametrize("argument", ["code", "dropout", "lr"])
def test_a_number_out_of_range_names_its_argument(name, argument):
    with pytest.raises(ValueError, match=f"{argument}: .*got -2"):
        build({"shape": [POINTS, 3], "classes": list(CLASSES), **SMALL[name], argument: -2})


def test_vectors_are_refused_and_unknown_arguments_named(name):
    described = {"classes": list(CLASSES), **SMALL[name]}
    with pytest.raises(ValueError, match=r"shape must be \(points, 3\) for clouds.*, got \(5,\)"):
        build({"shape": [5], **described})
    with pytest.raises(ValueError, match="did you mean 'dropout'"):
        build({"shape": [POINTS, 3], "dropuot": 0.1, **described})


@pytest.mark.parametrize(("points", "centres"), [(1024, (512, 128)), (256, (128, 32)), (4, (2, 1))])
def test_centres_follow_from_the_points(points, centres):
    model = build({"name": "pointnet2_classifier", "shape": [points, 3], "classes": list(CLASSES)})
    assert model.encoder.centres == centres


def test_dropout_acts_in_training_alone():
    model, (x, _) = trained("pointnet"), shapes(6)
    assert torch.equal(model.logits(x), model.logits(x))
    for module in model.modules():
        module.train(isinstance(module, nn.Dropout))
    assert not torch.equal(model.logits(x), model.logits(x))


def test_a_batch_of_one_cloud_is_refused_where_it_is_learned() -> None:
    model = CLASSIFIERS["pointnet_classifier"]((16, 3), classes=("a", "b"))
    model.train()
    with pytest.raises(ValueError, match="batch_size: must be at least 2 for a classifier's batch norms, got a batch"):
        model.update(Batch(torch.randn(1, 16, 3), labels=torch.zeros(1, dtype=torch.int64)))
