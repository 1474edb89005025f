"""Mugs: a cup with one handle, which stands towards +x."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, lathe, tube

__all__ = ["Mug"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mug:
    """The parameters of a mug; lengths by its height, which is 1; the table at y = 0."""

    body: Literal["straight", "tapered", "barrel", "waisted", "tulip"]
    radius: float
    foot: float  # radius of the foot by the radius of the rim
    curve: float  # how far the wall swells or narrows, by the radius
    wall: float  # thickness
    floor: float  # thickness
    edge: float  # how much the corner at the foot is rounded
    foot_ring: float  # height of the ring it stands on; 0 without
    lip: float  # how far the rim turns outwards
    handle: Literal["round", "square", "ear", "loop"]
    handle_low: float  # height of its lower end
    handle_high: float  # height of its upper end
    handle_reach: float  # how far it stands out
    handle_radius: float
    handle_flat: float  # width by thickness
    handle_tilt: float  # how much farther out the upper half stands than the lower

    @classmethod
    def draw(cls, draw: Draw) -> "Mug":
        return cls(
            body=draw.weighed({"straight": 0.35, "tapered": 0.2, "barrel": 0.18, "waisted": 0.12, "tulip": 0.15}),
            radius=draw.between(0.36, 0.6),
            foot=draw.between(0.62, 0.9),
            curve=draw.between(0.06, 0.18),
            wall=draw.between(0.035, 0.07),
            floor=draw.between(0.04, 0.1),
            edge=draw.between(0.01, 0.08),
            foot_ring=draw.between(0.03, 0.07) if draw.chance(0.3) else 0.0,
            lip=draw.between(0.0, 0.04),
            handle=draw.weighed({"round": 0.4, "square": 0.2, "ear": 0.25, "loop": 0.15}),
            handle_low=draw.between(0.14, 0.28),
            handle_high=draw.between(0.72, 0.88),
            handle_reach=draw.between(0.26, 0.42),
            handle_radius=draw.between(0.035, 0.06),
            handle_flat=draw.between(1.0, 1.9),
            handle_tilt=draw.between(-0.25, 0.35),
        )

    def _wall(self, y: Floats) -> Floats:
        """Outer radius at the heights y, without foot and lip."""
        swell = {
            "straight": np.zeros_like(y),
            "tapered": -(1 - self.foot) * (1 - y),
            "barrel": self.curve * np.sin(np.pi * y),
            "waisted": -self.curve * np.sin(np.pi * y),
            "tulip": -(1 - self.foot) * (1 - y) ** 2 + self.curve * np.sin(np.pi * y) ** 2,
        }[self.body]
        return self.radius * (1 + swell)

    def parts(self) -> list[Part]:
        y = np.linspace(self.foot_ring, 1, 17)
        outer = self._wall(y) + self.lip * np.clip((y - 0.85) / 0.15, 0, 1) ** 2
        outer -= self.edge * np.clip(1 - (y - self.foot_ring) / 0.12, 0, 1) ** 2
        inner = outer - self.wall
        inside = y > self.foot_ring + self.floor
        rim = [(outer[-1] - self.wall / 2, 1 + 0.3 * self.wall)]
        down = np.stack([inner, y], -1)[inside][::-1]
        ground = [(inner[inside][0] - self.edge / 2, self.foot_ring + self.floor)]
        ring = [(0.8 * outer[0], 0), (0.8 * outer[0], self.foot_ring)] if self.foot_ring else []
        return [lathe([*ring, *np.stack([outer, y], -1), *rim, *down, *ground], sides=40), self._handle()]

    def _handle(self) -> Part:
        low, high, reach = self.handle_low, self.handle_high, self.handle_reach
        t = np.linspace(0, 1, 25)
        angle = np.pi * (t - 0.5)
        power = {"round": 1.0, "ear": 1.0, "square": 0.35, "loop": 0.75}[self.handle]
        out = np.cos(angle).clip(0) ** power
        up = 0.5 + 0.5 * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
        if self.handle == "ear":
            out *= 0.55 + 0.45 * t**0.5
        out *= 1 + self.handle_tilt * (t - 0.5)
        y = low + (high - low) * up
        ends = self._wall(np.array([low, high])) - self.wall / 2
        start = ends[0] + (ends[1] - ends[0]) * up
        path = np.stack([start + (reach + self.wall / 2) * out, y, np.zeros_like(y)], -1)
        return tube(path, self.handle_radius, self.handle_flat)
