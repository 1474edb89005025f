"""Validation: how often, of what, by which weights, and the checkpoint that it chooses."""

import json
import math
from pathlib import Path

import pytest
import torch
from tiny_learners import Denoiser, Line, Shift, equal, vectors
from torch import Tensor

from pcgen.models import MODELS
from pcgen.models.base import Batch
from pcgen.models.clouds.autoencoder import Autoencoder
from pcgen.models.clouds.latent import LatentCloudModel
from pcgen.models.variational.vae import VAE
from pcgen.statistics import energy_distance
from pcgen.training import Run, Step, fit, load
from pcgen.training.listing import summarise
from pcgen.training.validation import Validation


def test_the_best_checkpoint_is_the_one_that_validated_best(tmp_path: Path) -> None:
    class Bowl(Line):
        """Descends w, and is best on held-out rows at w = -3."""

        def validate(self, data: Batch) -> Tensor:
            return (self.weight.detach() + data.x.mean()).square()

    data = torch.ones(4, 1)
    model = fit(Bowl(), data, validation=3 * data, out=tmp_path / "run", steps=8, validate_every=1)
    assert model.weight.item() == -8
    assert load(tmp_path / "run", "best", model=Bowl()).weight.item() == -3
    assert load(tmp_path / "run", "last", model=Bowl()).weight.item() == -8
    assert load(tmp_path / "run", model=Bowl()).weight.item() == -3  # the best where there is one
    assert [row["validation"] for row in Run.open(tmp_path / "run").history] == [
        (step - 3) ** 2 for step in range(1, 9)
    ]


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "f_gan", "infogan", "dan", "stacked_gan", "vae"])
def test_adversarial_models_are_used_as_they_ended(tmp_path: Path, name: str) -> None:
    small = {"encoder": {"name": "pointnet", "widths": [8]}, "decoder": {"name": "fully_connected", "widths": [8]}}
    head = MODELS[name]((4,))
    model = LatentCloudModel(Autoencoder((8, 3), code=4, **small), head)
    fit(model, vectors()[:, :4], validation=vectors()[:9, :4], out=tmp_path / "run", steps=6, validate_every=2)
    run = Run.open(tmp_path / "run")
    if name == "vae":
        assert run.checkpoint("best").is_file() and summarise(run.path).best == run.used_row["step"]
        return
    assert not run.checkpoint("best").exists()
    validated = [row for row in run.history if row.get("validation") is not None]
    assert len(validated) >= 3 and run.used_row == validated[-1] and summarise(run.path).best == 6
    assert equal(run.model(), run.model("last"))


def test_validation_is_taken_twenty_times_and_at_the_end_unless_told_otherwise(tmp_path: Path) -> None:
    options = {"validation": vectors()[:9], "batch_size": 8}
    for steps, every, expected in ((60, None, 20), (7, None, 7), (10, 4, 3), (63, None, 20)):
        seen: list[Step] = []
        fit(Denoiser((5,)), vectors(), steps=steps, validate_every=every, progress=seen.append, **options)
        assert sum(step.validation is not None for step in seen) == expected
        assert seen[-1].validation is not None


def test_validation_leaves_training_untouched() -> None:
    def trained(**options: object) -> Denoiser:
        torch.manual_seed(2)
        return fit(Denoiser((5,)), vectors(), steps=12, batch_size=8, **options)

    assert equal(trained(), trained(validation=vectors()[:9], validate_every=1))


def test_validation_of_a_gradient_learner_is_its_loss_in_evaluation_mode() -> None:
    class Plain(Denoiser):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            assert not self.training and not torch.is_grad_enabled()
            return {"a": (self.net(batch.x) - batch.x).square().mean(), "b": batch.x.abs().mean()}

    model, rows = Plain((5,)), vectors(150)
    value = Validation(model, rows)(model)
    model.eval()
    expected = (model.net(rows) - rows).square().mean() + rows.abs().mean()
    assert value == pytest.approx(expected.item(), rel=1e-5)
    model.train()
    Validation(model, rows)(model)
    assert model.training


def test_validation_of_a_sampler_is_an_energy_distance_under_one_seed() -> None:
    model, rows = Shift((5,)), vectors(50)
    measure = Validation(model, rows, seed=3)
    torch.manual_seed(3)
    assert measure(model) == pytest.approx(float(energy_distance(model.sample(50), rows)))
    far, near = measure(model), None
    with torch.no_grad():
        model.mu.copy_(torch.full((5,), 3.0))
    near, far = far, measure(model)
    assert far > near
    assert measure(model) == far


def test_validation_compares_at_most_so_many_samples() -> None:
    sizes = []

    class Counting(Shift):
        def draw(self, n: int) -> Tensor:
            sizes.append(n)
            return super().draw(n)

    model = Counting((2,))
    Validation(model, torch.randn(3000, 2))(model)
    assert sizes == [1000]


def test_a_validation_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    class Odd(Line):
        def validate(self, data: Batch) -> Tensor:
            return torch.tensor(math.nan)

    fit(Odd(), torch.ones(4, 1), validation=torch.ones(4, 1), out=tmp_path / "run", steps=3)
    assert not (tmp_path / "run" / "best.safetensors").exists()
    assert json.loads((tmp_path / "run" / "history.jsonl").read_text().splitlines()[-1])["step"] == 3


@pytest.mark.parametrize("average", [None, 0.9])
def test_validation_and_samples_use_averaged_weights(average: float | None) -> None:
    class Told(Line):
        def validate(self, data: Batch) -> Tensor:
            return self.weight.detach().clone()

    seen: list[Step] = []
    data = torch.ones(4, 1)
    model = fit(Told(), data, validation=data, steps=5, average=average, validate_every=1, progress=seen.append)
    assert seen[-1].validation == model.weight.item()
    assert (model.weight.item() == -5) == (average is None)


def test_a_heads_loss_gets_all_rows() -> None:
    autoencoder = Autoencoder((16, 3), code=3, encoder={"name": "pointnet", "widths": [8]})
    rows = torch.randn(1500, 3)
    for head, expected in ((VAE((3,), code=2, widths=[8]), 1500), (MODELS["gan"]((3,)), 1000)):
        assert len(Validation(LatentCloudModel(autoencoder, head), rows).data) == expected


def test_a_measure_that_compares_samples_is_told_by_the_model_and_not_by_its_parts() -> None:
    rows = torch.randn(1500, 3)
    kept = {"made": 1500, "autoregressive": 1500, "gan": 1000, "boltzmann": 1000}
    for name, expected in kept.items():
        data = (rows > 0).float() if name == "boltzmann" else rows
        assert len(Validation(MODELS[name]((3,)), data).data) == expected, name
