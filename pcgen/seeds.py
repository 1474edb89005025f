"""Randomness apart from the rest: streams fixed by what they are for, and torch's global one set aside for a while."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["isolated", "stream"]


def stream(*key: object) -> torch.Generator:
    """A generator seeded by a hash of `key`, the same on every machine; torch's global state is left alone."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@contextmanager
def isolated(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Within it torch's global generators, the CPU's and the device's, start from `seed`; afterwards they go on as if
    nothing had been drawn."""
    with torch.random.fork_rng([device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
