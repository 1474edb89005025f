import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal

from pcgen.models.adversarial.infogan import InfoGAN
from pcgen.models.base import Batch

CONTRACT = {
    "infogan": {
        "categories": 3,
        "continuous": 1,
        "noise_dim": 4,
        "generator_widths": [16],
        "discriminator_widths": [16, 16],
    }
}


def groups(n: int) -> tuple[Tensor, Tensor]:
    """Four groups of points in the plane, and the group of each."""
    group = torch.randint(4, (n,))
    centres = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]])
    return centres[group] + 0.3 * torch.randn(n, 2), group


def test_the_information_nears_the_entropy_and_the_code_recovers_a_known_factor(measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = InfoGAN(
        (2,), 4, 0, weight=1, noise_dim=4, generator_widths=(64, 64), discriminator_widths=(64, 64), r1=0.5, lr=2e-3
    )
    for _ in range(1500):
        model.update(Batch(groups(128)[0]))
    with torch.no_grad():
        latents = model.latents(4000)
        information = float(model.information(model.generator(latents), latents[:, 4:]))
    measured("information of code and sample, four groups, nats", information, math.log(4))
    assert information <= math.log(4)
    assert information > 0.9 * math.log(4)
    x, group = groups(2000)
    code = model.encode(x).argmax(1)
    table = torch.zeros(4, 4).index_put_((group, code), torch.ones(2000), accumulate=True)
    measured("share of rows whose group the code tells", float(table.amax(1).sum()) / 2000, 1)
    assert float(table.amax(1).sum()) / 2000 > 0.95  # each group has one code,
    assert len(table.argmax(1).unique()) == 4  # and no two the same


def test_the_entropy_is_that_of_the_codes() -> None:
    model = InfoGAN((2,), 10, 3, noise_dim=2)
    assert model.entropy == pytest.approx(math.log(10) + 3 * math.log(2))
    code = model.draw_codes(20000)
    assert code.shape == (20000, 13)
    torch.testing.assert_close(code[:, :10].sum(1), torch.ones(20000))
    torch.testing.assert_close(code[:, :10].mean(0), torch.full((10,), 0.1), atol=0.01, rtol=0)
    assert code[:, 10:].min() >= -1 and code[:, 10:].max() <= 1
    assert float(code[:, 10:].var()) == pytest.approx(1 / 3, rel=0.03)


def test_a_perfect_reader_has_all_the_information() -> None:
    """Logits far apart at the right category, and no continuous code: the bound is the entropy."""
    model = InfoGAN((3,), 3, 0, noise_dim=2)
    model.recognition = torch.nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        model.recognition.weight.copy_(100 * torch.eye(3))
    code = model.draw_codes(50)
    assert float(model.information(code, code).detach()) == pytest.approx(math.log(3), abs=1e-4)


@pytest.mark.parametrize("categories", [0, 3])
def test_the_information_is_that_of_the_distributions_that_are_read(categories: int) -> None:
    model = InfoGAN((4,), categories, 2, noise_dim=2)
    model.recognition = torch.nn.Linear(4, categories + 4)
    x, code = torch.randn(50, 4), model.draw_codes(50)
    logits, mean, log_variance = model.recognition(x).split((categories, 2, 2), dim=1)
    log_q = Normal(mean, (log_variance / 2).exp()).log_prob(code[:, categories:]).sum(1)
    entropy = 2 * math.log(2)
    if categories:
        log_q = log_q + Categorical(logits=logits).log_prob(code[:, :categories].argmax(1))
        entropy += math.log(categories)
    torch.testing.assert_close(model.information(x, code), log_q.mean() + entropy)


@pytest.mark.parametrize(("categories", "continuous"), [(0, 0), (1, 2)])
def test_no_code_is_no_infogan(categories: int, continuous: int) -> None:
    with pytest.raises(ValueError, match="categories, continuous: must make a code"):
        InfoGAN((2,), categories, continuous)
