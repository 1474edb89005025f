"""The soft matchings in print, against the dense float64 reference."""

import pytest
import torch
from cloud_problems import pairs

from pcgen import ops
from pcgen.ops import APPROXMATCH_CONVENTIONS, reference


@pytest.mark.parametrize("convention", APPROXMATCH_CONVENTIONS)
@pytest.mark.parametrize("kind", ["cubes", "spheres", "far_apart", "lattice", "one_place", "shared_points"])
def test_equals_reference(kind: str, convention: str, instruction_set: str) -> None:
    for n in (1, 40, 130):
        x, y = pairs(kind, 2, n, n, torch.float32)
        expected = reference.approxmatch(x, y, *APPROXMATCH_CONVENTIONS[convention])
        torch.testing.assert_close(ops.approxmatch(x, y, convention), expected, rtol=2e-5, atol=1e-7)


def test_two_points_by_hand() -> None:
    # One point a distance 2 from another: level s moves exp(-4 s) / (exp(-4 s) + 1e-9) of what is left, so that all is
    # moved by s = 1/4.
    x, y = torch.zeros(1, 1, 3), torch.tensor([[[2.0, 0.0, 0.0]]])
    torch.testing.assert_close(ops.approxmatch(x, y), torch.tensor([2.0]).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(
        ops.approxmatch(x, y, "approxmatch_squared"), torch.tensor([4.0]).double(), rtol=1e-5, atol=0
    )


def test_is_a_poor_upper_bound_of_the_exact_distance() -> None:
    x, y = pairs("cubes", 2, 512, 512, torch.float32)
    exact = ops.emd(x, y)
    ratio = ops.approxmatch(x, y) / exact
    assert ((ratio > 1.1) & (ratio < 1.6)).all()
    assert (ops.approxmatch(x, y, "approxmatch_pointflow") < ops.approxmatch(x, y)).all()


def test_without_the_last_level_far_mass_stays_unmoved() -> None:
    x = torch.zeros(1, 8, 3)
    y = x + torch.tensor([30.0, 0.0, 0.0])
    assert ops.approxmatch(x, y).item() == pytest.approx(30, rel=1e-5)
    assert ops.approxmatch(x, y, "approxmatch_pointflow").item() < 1e-6


def test_matrix_has_rows_that_give_and_columns_that_take() -> None:
    a, b = torch.rand(3, 60, 3), torch.rand(5, 60, 3) ** 2
    calls: list[tuple[int, int]] = []
    matrix = ops.approxmatch_matrix(a, b, progress=lambda done, total: calls.append((done, total)))
    assert matrix.shape == (3, 5)
    assert calls == [(5, 15), (10, 15), (15, 15)]
    for j in range(5):
        assert torch.equal(matrix[:, j], ops.approxmatch(a, b[j].expand(3, -1, -1)))
    assert not torch.equal(matrix, ops.approxmatch_matrix(b, a).T)


def test_bad_input_is_named() -> None:
    x = torch.rand(2, 5, 3)
    with pytest.raises(ValueError, match="convention: must be one of approxmatch, approxmatch_pointflow"):
        ops.approxmatch(x, x, "pointflow")
    with pytest.raises(ValueError, match="y: must have as many points as x, 5, got 4"):
        ops.approxmatch(x, x[:, :4])
    with pytest.raises(ValueError, match="x: must be finite, got nan in point 0 of cloud 0"):
        ops.approxmatch(x * float("nan"), x)
    bad = x.clone()
    bad[1, 3] = float("inf")
    with pytest.raises(
        ValueError, match="a: must be finite, got inf in point 3 of cloud 1; drop or repair such clouds"
    ):
        ops.approxmatch_matrix(bad, x)
    with pytest.raises(
        ValueError, match="b: must be finite, got inf in point 3 of cloud 1; drop or repair such clouds"
    ):
        ops.approxmatch_matrix(x, bad)
    with pytest.raises(ValueError, match=r"y: must be within the range of float32, .*, got 1e\+39; scale the clouds"):
        ops.approxmatch(x.double(), torch.full((2, 5, 3), -1e39, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"a: must be within the range of float32, .*, got 1e\+39; scale the clouds"):
        ops.approxmatch_matrix(torch.full((2, 5, 3), 1e39, dtype=torch.float64), x.double())


def test_opcheck() -> None:
    x, y = torch.rand(2, 7, 3), torch.rand(2, 7, 3)
    torch.library.opcheck(torch.ops.pcgen.approxmatch.default, (x, y, True, False))
    torch.library.opcheck(torch.ops.pcgen.approxmatch_matrix.default, (x, y, False, True))
