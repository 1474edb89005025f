"""What a model's `shape` may be: (dim,) for vectors, (points, 3) for clouds."""

from collections.abc import Sequence

__all__ = ["cloud_points", "vector_dim", "vector_or_cloud"]


def vector_dim(shape: Sequence[int], model: str) -> int:
    """The `dim` of a model that learns vectors alone; a ValueError says what to do with clouds."""
    if len(shape) != 1 or int(shape[0]) < 1:
        raise ValueError(
            f"{model}: shape must be (dim,), got {tuple(shape)}; {model} learns vectors: train an autoencoder on the "
            "clouds first and use its codes (--codes RUN)"
        )
    return int(shape[0])


def cloud_points(shape: Sequence[int], model: str) -> int:
    """The `points` of a model that learns clouds alone; a ValueError says what to do with anything else."""
    if len(shape) != 2 or int(shape[0]) < 1 or int(shape[1]) != 3:
        raise ValueError(f"{model}: shape must be (points, 3), got {tuple(shape)}; {model} learns clouds (--data SPEC)")
    return int(shape[0])


def vector_or_cloud(shape: Sequence[int], model: str) -> tuple[int, ...]:
    """The shape of a model that learns either, as a tuple; a ValueError for anything else."""
    sizes = tuple(int(size) for size in shape)
    if len(sizes) not in (1, 2) or min(sizes) < 1 or sizes[1:] not in ((), (3,)):
        raise ValueError(f"{model}: shape must be (dim,) for vectors or (points, 3) for clouds, got {sizes}")
    return sizes
