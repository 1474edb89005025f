"""Models that learn clouds without an autoencoder, from the command line."""

import pytest

from pcgen import data


@pytest.mark.parametrize("model", ["autoregressive", "flow_matching", "vae"])
def test_a_model_of_clouds_is_trained_and_sampled(pcgen, boxes, tmp_path, model):
    """Whatever the parts of a model are called: one of them may be a head."""
    train = ["train", model, "--data", boxes, "--points", 16, "--steps", 2, "--batch-size", 8]
    result = pcgen(*train, "--out", tmp_path / "run")
    assert result.code == 0 and f"{model}: " in result.err and "training clouds of" in result.err, result.err
    result = pcgen("sample", tmp_path / "run", "-n", 3, "--out", tmp_path / "s.npz")
    assert result.code == 0, result.err
    assert data.load(str(tmp_path / "s.npz")).points.shape == (3, 16, 3)
