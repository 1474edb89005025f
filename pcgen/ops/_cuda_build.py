"""What a CUDA library was compiled for. It is read from the file, so it is known even if the library does not load."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CudaBuild"]

# Minimum driver for each major version of the toolkit (all minor versions): NVIDIA, CUDA Compatibility, Table 1.
DRIVERS = {12: "525", 13: "580"}


@dataclass(frozen=True)
class CudaBuild:
    """A compiled CUDA library.

    Attributes:
        toolkit: version of the CUDA toolkit that compiled it, such as "13.0".
        targets: "sm_90" is code for cards of compute capability 9.0 up to 9.9; "compute_90" is PTX, which the driver
            compiles for any newer card.
    """

    toolkit: str
    targets: tuple[str, ...]

    @classmethod
    def read(cls, library: Path) -> "CudaBuild":
        """Find the text that csrc/cuda/build.cu leaves in the file.

        Raises:
            ValueError: the file has no such text.
        """
        found = re.search(rb"pcgen CUDA build: (\d+\.\d+) ([a-z0-9_-]+)\0", library.read_bytes())
        if found is None:
            raise ValueError(f"{library}: must be pcgen's CUDA library, but does not state its build; build it again")
        return cls(found[1].decode(), tuple(found[2].decode().split("-")))

    @property
    def driver(self) -> str | None:
        """The minimum major version of the driver, None for a toolkit that is newer than `DRIVERS`."""
        return DRIVERS.get(int(self.toolkit.partition(".")[0]))

    def runs_on(self, capability: tuple[int, int]) -> bool:
        """Whether the library has code for a card of this compute capability."""
        for target in self.targets:
            kind, _, digits = target.partition("_")
            built = int(digits[:-1]), int(digits[-1])
            if built <= capability and (kind == "compute" or built[0] == capability[0]):
                return True
        return False
