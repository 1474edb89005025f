"""Colours of points: by height, by label or by order, and the light that makes a disc look like a ball."""

from collections.abc import Sequence

import numpy as np

from pcgen.errors import choose
from pcgen.view.inputs import Array, Drawable

__all__ = ["COLORS", "by_height", "by_label", "by_order", "fade", "lit", "paint"]

COLORS = ("height", "label", "order")

# Ten hues that colour-blind eyes tell apart, of similar lightness on white (after Okabe and Ito, 2008).
_LABELS = ("0072b2", "e69f00", "009e73", "cc79a7", "56b4e9", "d55e00", "7a68a6", "8c8c30", "8b5a3c", "6f7f8f")
LIGHT = np.array([-0.40, 0.70, 0.59])  # in the camera's axes: from above, left of the viewer
_GLOSS = 24.0


def paint(clouds: Sequence[Drawable], colors: str) -> list[Array]:
    """RGB in [0, 1] of every point of every cloud, (N_i, 3) each, by one of `COLORS`.

    Raises:
        ValueError: an unknown name, or "label" for clouds without labels.
    """
    choose(colors, COLORS, "colors")
    if colors == "height":
        return [by_height(cloud.points) for cloud in clouds]
    if colors == "order":
        return [by_order(len(cloud.points)) for cloud in clouds]
    missing = [i for i, cloud in enumerate(clouds) if cloud.label is None]
    if missing:
        raise ValueError(
            f"colors: 'label' needs a label for each cloud, got none for cloud {missing[0]}; "
            "pass a cloud set with labels, or choose 'height' or 'order'"
        )
    return [np.tile(by_label(int(cloud.label or 0)), (len(cloud.points), 1)) for cloud in clouds]


def by_height(points: Array) -> Array:
    """Colours of (N, 3) points from their lowest y to their highest, (N, 3); a flat cloud has the middle colour."""
    y = points[:, 1]
    span = float(y.max() - y.min())
    return _ramp((y - y.min()) / span if span > 0 else np.full(len(y), 0.5))


def by_order(count: int) -> Array:
    """Colours of points by their place in the cloud, (count, 3): shows which points correspond between clouds."""
    return _ramp(np.linspace(0.0, 1.0, count))


def by_label(label: int) -> Array:
    """The colour of a class, (3,); ten hues, then the same ten lighter, then darker, and again."""
    hexadecimal = _LABELS[label % 10]
    base = np.array([int(hexadecimal[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return [base, base + (1 - base) * 0.45, base * 0.6][label // 10 % 3]


def fade(colors: Array, depth: Array, amount: float = 0.35) -> Array:
    """Colours (N, 3) mixed with white by depth (N,), a z towards the viewer: none at the nearest, `amount` farthest."""
    span = float(depth.max() - depth.min())
    far = (depth.max() - depth) / span if span > 0 else np.zeros(len(depth))
    weight = amount * far[:, None]
    return np.asarray(colors * (1 - weight) + weight)


def lit(normals: Array) -> tuple[Array, Array]:
    """How a ball reflects light at unit normals (V, 3): a factor of its colour (V,) and a white gloss added (V,)."""
    light = LIGHT / np.linalg.norm(LIGHT)
    halfway = light + np.array([0.0, 0.0, 1.0])
    halfway /= np.linalg.norm(halfway)
    # Half-Lambert: the side away from the light keeps its form instead of going flat black.
    diffuse = 0.56 + 0.56 * (0.5 + 0.5 * normals @ light) ** 1.5
    return diffuse, 0.30 * np.clip(normals @ halfway, 0.0, 1.0) ** _GLOSS


def _ramp(t: Array) -> Array:
    """Viridis without its darkest and its palest end, which on white read as black and vanish."""
    from matplotlib import colormaps

    return np.asarray(colormaps["viridis"](0.08 + 0.84 * t)[:, :3], dtype=np.float64)
