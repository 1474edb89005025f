"""Every instruction set that this processor has, for the tests of kernels."""

from collections.abc import Iterator

import pytest

from pcgen.ops import _library


@pytest.fixture(params=_library.INSTRUCTION_SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once for each instruction set; those that the processor lacks are skipped."""
    chosen = _library.build_info()["instruction_set"]
    try:
        _library.set_instruction_set(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield request.param
    _library.set_instruction_set(chosen)
