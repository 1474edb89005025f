from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from pcgen.models.base import Batch
from pcgen.models.implicit.glo import GLO, into_ball
from pcgen.training import fit

CONTRACT = {"glo": {"code": 3, "widths": [16], "decoder": {"name": "fully_connected", "widths": [16]}}}


def rows(n: int) -> Tensor:
    """Rows of ten numbers that two make."""
    generator = torch.Generator().manual_seed(3)
    mix = torch.randn(2, 10, generator=generator)
    return torch.tanh(torch.randn(n, 2) @ mix)


def test_training_rows_are_reconstructed_and_their_codes_lie_in_the_ball(measured: Callable[..., None]) -> None:
    torch.manual_seed(0)
    x = rows(200)
    model = fit(GLO((10,), rows=200, code=2, widths=(64, 64)), x, steps=1500, seed=0).eval()
    with torch.no_grad():
        error = (model.decode(model.codes) - x).square().mean()
    # Two principal components, with which the codes begin, leave a tenth of the variance.
    values = torch.linalg.eigvalsh(torch.cov(x.T))
    measured(
        "error of training rows, by what as many principal components leave",
        float(error) / float(values[:-2].sum() / 10),
        "below 1",
    )
    measured("largest norm of a code", float(model.codes.norm(dim=1).max()), "at most 1")
    assert float(error) < 0.3 * float(values[:-2].sum() / 10)
    assert float(model.codes.norm(dim=1).max()) <= 1 + 1e-6


@pytest.mark.parametrize(("loss", "peer"), [("l1", l1_loss), ("squared", mse_loss)])
def test_the_loss_is_that_of_rows_decoded_from_their_codes(loss: str, peer: Callable[..., Tensor]) -> None:
    model, x, some = GLO((10,), rows=6, code=2, loss=loss), rows(6), torch.tensor([4, 1])
    model.setup(Batch(x))
    found = model.loss(Batch(x[some], some))["reconstruction"]
    torch.testing.assert_close(found, peer(model.decode(model.codes[some]), x[some]))


def test_a_new_row_is_encoded_by_descent() -> None:
    torch.manual_seed(0)
    x, new = rows(400), rows(50)
    model = fit(GLO((10,), rows=400, code=2, widths=(64, 64)), x, steps=1500, seed=0).eval()
    with torch.no_grad():
        start, end = (model.decode(model.encode(new, steps)) for steps in (0, 100))
    nearest = torch.cdist(new, x).amin(1).square() / 10  # what a look-up of training rows leaves
    assert float((end - new).square().mean()) < 0.5 * float(nearest.mean())
    assert float((end - new).square().mean()) < float((start - new).square().mean())
    assert float(model.encode(new).norm(dim=1).max()) <= 1 + 1e-6


def test_samples_are_of_the_gaussian_of_the_codes() -> None:
    torch.manual_seed(0)
    model = GLO((3,), rows=500, code=3, widths=(8,)).eval()
    with torch.no_grad():
        model.codes.copy_(0.1 * torch.randn(500, 3) * torch.tensor([1.0, 2.0, 0.5]) + torch.tensor([0.3, 0.0, -0.2]))
    model.decode = lambda z: z
    drawn = model.sample(20000)
    torch.testing.assert_close(drawn.mean(0), model.codes.detach().mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(model.codes.detach().T), atol=2e-3, rtol=0.05)


def test_what_is_outside_the_ball_comes_to_its_surface() -> None:
    z = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(into_ball(z), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


def test_another_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="rows: must be the 7 rows of the data, got 5"):
        GLO((3,), rows=5).setup(Batch(torch.randn(7, 3)))
    with pytest.raises(ValueError, match="loss: must be one of squared, l1; got 'l2'"):
        GLO((3,), rows=5, loss="l2")


def test_rows_that_are_all_equal_are_learned() -> None:
    model = fit(GLO((4,), rows=6, code=3), torch.full((6, 4), 2.0), steps=20)
    assert (model.sample(5) - 2).abs().max() < 0.5
    assert GLO((4,), rows=6, code=3, widths=()).decode(torch.zeros(2, 3)).shape == (2, 4)  # a linear generator
