import numpy as np
import torch

from pcgen.nets.waves import CHANNELS_PER_COORDINATE, waves


def test_waves_are_their_formula_at_each_octave() -> None:
    x = torch.rand(4, 5, 2) * 2 - 1
    found = waves(x)
    assert found.shape == (4, 5, 2 * CHANNELS_PER_COORDINATE)
    rows = x.double().numpy()
    expected = [rows, *(f(np.pi * 2.0 ** np.arange(5) * rows[..., [c]]) for f in (np.sin, np.cos) for c in (0, 1))]
    np.testing.assert_allclose(found.numpy(), np.concatenate(expected, -1), atol=5e-6)
