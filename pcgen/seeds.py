"""Random generators apart from torch's global one: generators named by their use, and a temporary global seed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["isolated", "stream"]


def stream(*key: object) -> torch.Generator:
    """A generator seeded by a hash of `key`, the same on every machine; torch's global generator is not used."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode(errors="surrogatepass")).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@contextmanager
def isolated(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Context in which torch's global generators, of the CPU and the device, start from `seed`.

    Afterwards their previous states are restored.
    """
    cuda = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU, for good
        for each in cuda:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield
