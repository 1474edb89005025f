"""Conditional models: samples of a label lie in its class, labels are as frequent as in training, guidance guides."""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pcgen.models.base import Batch
from pcgen.models.conditional import Conditional, Labels
from pcgen.models.diffusion.diffusion import Diffusion
from pcgen.models.energy.score_model import ScoreModel
from pcgen.models.variational.sb_vae import SBVAE
from pcgen.models.variational.vae import VAE
from pcgen.training import fit, steps
from pcgen.training.validation import Validation

CLASSES = ("left", "right")
CENTRE = torch.tensor([2.0, -1.0, 1.0, 0.5])


def classes(n: int) -> tuple[Tensor, Tensor]:
    """Two Gaussians of one covariance about -CENTRE and CENTRE; the second has a quarter of the rows, (n, 4), (n,)."""
    labels = (torch.arange(n) % 4 == 3).long()
    mix = torch.tensor([[0.5, 0.0], [0.2, 0.3], [0.0, 0.4], [-0.3, 0.1]])
    return CENTRE * (2 * labels[:, None] - 1) + torch.randn(n, 2) @ mix.T + 0.2 * torch.randn(n, 4), labels


def side(x: Tensor) -> Tensor:
    """The class in which each row lies, (n,)."""
    return (x @ CENTRE > 0).long()


@cache
def trained(kind: str) -> Conditional:
    torch.manual_seed(5)
    x, labels = classes(400)
    model: Conditional
    if kind == "vae":
        model = VAE((4,), code=2, widths=(16,), classes=CLASSES, learn_scale=True)
        return fit(model, x, labels=labels, steps=150, batch_size=100)
    model = Diffusion((4,), times=50, width=32, blocks=2, classes=CLASSES, lr=2e-3)
    return fit(model, x, labels=labels, steps=800, batch_size=100, average=0.9)


@pytest.fixture(params=["vae", "diffusion"])
def model(request: pytest.FixtureRequest) -> Conditional:
    return trained(request.param)


def test_samples_of_a_label_lie_in_its_class(model: Conditional) -> None:
    for label in (0, 1):
        drawn = side(model.sample(400, labels=torch.full((400,), label)))
        assert (drawn == label).float().mean() >= 0.95


def test_labels_are_drawn_as_often_as_they_were_learned(model: Conditional) -> None:
    labels = model.draw_labels(4000)
    assert labels is not None and labels.dtype == torch.int64
    # A quarter, within four deviations of a share of 4000.
    assert labels.float().mean().item() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 4000))
    drawn = side(model.sample(4000)).float().mean().item()
    assert drawn == pytest.approx(0.25, abs=0.05)


def test_a_diffusion_that_knows_no_label_draws_the_mixture() -> None:
    drawn = trained("diffusion").draw(2000, labels=None)
    assert side(drawn).float().mean().item() == pytest.approx(0.25, abs=0.1)
    assert (drawn @ CENTRE / CENTRE.square().sum()).abs().mean() == pytest.approx(1, abs=0.2)  # at the centres


def test_guidance_0_ignores_the_label_and_1_is_the_plain_prediction() -> None:
    model = trained("diffusion")
    assert isinstance(model, Diffusion)
    x, t = torch.randn(8, 4), torch.randint(1, 51, (8,))
    y = model.labels.vectors(torch.arange(8) % 2, x)
    with torch.no_grad():
        assert torch.equal(model.predict_noise(x, t, y, guidance=0.0), model.predict_noise(x, t))
        plain, without = model.predict_noise(x, t, y), model.predict_noise(x, t)
        assert torch.equal(model.predict_noise(x, t, y, guidance=1.0), plain)
        assert not torch.equal(plain, without)
        torch.testing.assert_close(model.predict_noise(x, t, y, guidance=3.0), without + 3 * (plain - without))

    def drawn(**options: object) -> Tensor:
        torch.manual_seed(2)
        return model.sample(300, labels=torch.ones(300, dtype=torch.int64), **options)

    ignored = drawn(guidance=0.0)
    torch.manual_seed(2)
    assert torch.equal(ignored, model.draw(300))
    assert torch.equal(drawn(guidance=1.0), drawn())
    along = [(drawn(guidance=guidance) @ CENTRE).mean().item() for guidance in (0.0, 1.0, 2.0)]
    assert along == sorted(along) and along[2] > along[1] + 0.05


def test_guidance_needs_labels() -> None:
    model = trained("diffusion")
    with pytest.raises(ValueError, match=r"guidance: must be 1 where no label is known, got 2; give labels="):
        model.draw(3, guidance=2.0)
    torch.manual_seed(2)
    drawn = model.sample(3, guidance=2.0)  # which draws labels, as frequent as in training
    torch.manual_seed(2)
    assert torch.equal(drawn, model.sample(3, labels=model.draw_labels(3), guidance=2.0))
    without = Diffusion((4,), times=5, width=8, blocks=1)
    for guidance in (0.0, 2.0):
        with pytest.raises(ValueError, match=rf"guidance: must be 1 for a model without classes, got {guidance:g}: "):
            without.sample(3, guidance=guidance)
    assert without.sample(3, guidance=1.0).shape == (3, 4)
    with pytest.raises(ValueError, match=r"guidance: must be 0 or more, got -1"):
        model.sample(3, guidance=-1.0)


def test_training_hides_a_tenth_of_the_labels_and_evaluation_none() -> None:
    labels, like = Labels(("a", "b", "c")), torch.zeros(20_000, 2)
    given = torch.arange(20_000) % 3
    vectors = labels.vectors(given, like)
    assert torch.equal(vectors, torch.nn.functional.one_hot(given, 3).float())
    hidden = labels.train().hidden(given, like)
    known = hidden.sum(1) == 1
    assert 1 - known.float().mean().item() == pytest.approx(0.1, abs=4 * math.sqrt(0.1 * 0.9 / 20_000))
    assert torch.equal(hidden[known], vectors[known]) and not hidden[~known].any()
    assert torch.equal(labels.eval().hidden(given, like), vectors)


def test_what_is_validated_is_the_bound_for_the_labels() -> None:
    """No label is hidden then: the loss of a VAE is minus its bound."""
    model, (x, labels) = trained("vae"), classes(60)
    assert isinstance(model, VAE)
    torch.manual_seed(4)
    bound = model.log_prob_bound(x, labels).mean()
    torch.manual_seed(4)
    torch.testing.assert_close(model.validate(Batch(x, labels=labels)), -bound, rtol=1e-5, atol=1e-5)
    assert bound > model.log_prob_bound(x, 1 - labels).mean() + 1


def test_a_linear_conditional_vae_starts_from_the_exact_likelihood_of_ppca_in_each_class() -> None:
    x, labels = classes(400)
    model = VAE((4,), code=2, widths=(), classes=CLASSES, learn_scale=True)
    model.setup(Batch(x, torch.arange(400), labels))
    means = torch.stack([x[labels == label].mean(0) for label in (0, 1)])
    rest = x - means[labels]
    values, vectors = torch.linalg.eigh(rest.T @ rest / 400)  # ascending
    noise = values[:2].mean()
    covariance = vectors[:, 2:] @ torch.diag(values[2:] - noise) @ vectors[:, 2:].T + noise * torch.eye(4)
    exact = MultivariateNormal(means[labels], covariance).log_prob(x).mean()
    bounds = torch.stack([model.log_prob_bound(x, labels).mean() for _ in range(200)])
    assert abs(bounds.mean() - exact) < 4 * bounds.std() / math.sqrt(200)
    # The bound is tight row by row, the draws of z apart: the posterior is exact.
    each = torch.stack([model.log_prob_bound(x[:8], labels[:8]) for _ in range(1000)])
    own = MultivariateNormal(means[labels[:8]], covariance).log_prob(x[:8])
    assert ((each.mean(0) - own).abs() < 5 * each.std(0) / math.sqrt(1000)).all()


@pytest.mark.parametrize("kind", [VAE, Diffusion])
def test_labels_that_are_missing_or_no_classes_are_told_before_any_update(kind: type[VAE] | type[Diffusion]) -> None:
    x, labels = classes(12)
    known = f"the 2 classes left, right of this {kind.__name__}"
    for given, told in (
        (None, f"labels: must be one per row of data, indices into {known}, got none; give labels="),
        (labels + 1, f"labels: must be indices into {known}, from 0 on, got 1 to 2; make the model with the data's"),
        (labels - 1, f"labels: must be indices into {known}, from 0 on, got -1 to 0"),
        (labels[:5], r"labels: must be one per row of data, \(12,\), got \(5,\)"),
    ):
        model = kind((4,), classes=CLASSES)
        with pytest.raises(ValueError, match=told):
            steps(model, x, labels=given)
        with pytest.raises(
            ValueError, match=told.replace("labels", "validation_labels").replace("of data", "of validation")
        ):
            Validation(model, x, given)
    learned = fit(kind((4,), classes=CLASSES), x, labels=labels, steps=1)
    with pytest.raises(ValueError, match="got none; give labels="):
        fit(learned, x, steps=1)  # A second training is not set up, and needs them as much.
    with pytest.raises(ValueError, match="labels: must be indices into the 2 classes left, right"):
        learned.sample(2, labels=torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=r"classes: must be different names, got \('a', 'a'\)"):
        kind((4,), classes=("a", "a"))


@pytest.mark.parametrize("call", [Labels.vectors, Labels.known])
def test_labels_are_one_for_each_row_and_a_model_without_classes_takes_none(
    call: Callable[[Labels, Tensor, Tensor], object],
) -> None:
    like = torch.zeros(5, 2)
    for given, got in ((torch.tensor([0, 1, 1]), r"\(3,\)"), (torch.zeros(5, 1, dtype=torch.int64), r"\(5, 1\)")):
        with pytest.raises(ValueError, match=rf"labels: must be one for each of 5 rows, got shape {got}"):
            call(Labels(CLASSES), given, like)
    with pytest.raises(ValueError, match="labels: this model takes none: it has no classes; leave them out"):
        call(Labels(()), torch.zeros(5, dtype=torch.int64), like)


def test_what_is_asked_of_a_label_is_refused_without_classes_but_training_data_may_have_labels() -> None:
    x, labels = classes(12)
    vae, sticks, energies = VAE((4,), code=2), SBVAE((4,), truncation=3), ScoreModel((4,), width=8, blocks=1)
    for model in (vae, sticks, energies):
        fit(model, x, labels=labels, steps=1)
    for call in (
        lambda: vae.log_prob_bound(x, labels),
        lambda: vae.encode(x, labels),
        lambda: sticks.decode(sticks.encode(x), labels),
        lambda: energies.free_energy(x, labels),
        lambda: energies.log_partition(label=7),
    ):
        with pytest.raises(ValueError, match="labels: this model takes none: it has no classes; leave them out"):
            call()
    with pytest.raises(ValueError, match=r"labels: must be one for each of 12 rows, got shape \(5,\)"):
        VAE((4,), code=2, classes=CLASSES).log_prob_bound(x, labels[:5])
