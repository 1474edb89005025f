"""Generators apart from torch's global ones."""

import pytest
import torch

from pcgen.seeds import isolated, stream


def test_inside_the_context_numbers_are_those_of_the_seed_and_afterwards_nothing_has_happened() -> None:
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    with isolated(0):
        inside = torch.randn(3)
    assert torch.equal(torch.randn(3), expected)
    torch.manual_seed(0)
    assert torch.equal(inside, torch.randn(3))


def test_the_generators_of_gpus_that_are_not_restored_are_not_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    with isolated(3):
        pass
    assert seeded == []


def test_a_stream_is_that_of_its_key_on_every_machine() -> None:
    assert torch.randint(1000, (3,), generator=stream("a", 1)).tolist() == [877, 968, 21]
