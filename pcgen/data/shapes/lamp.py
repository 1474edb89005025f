"""Lamps: table lamps, floor lamps, tripods and desk lamps with a jointed arm."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, bar, box, lathe, rotation

__all__ = ["Lamp"]


Kind = Literal["table", "floor", "tripod", "desk"]


@dataclass(frozen=True)
class Lamp:
    """The parameters of a lamp; lengths by the radius of its shade's lower rim, which is 1; the floor at y = 0."""

    kind: Kind
    shade: Literal["cone", "drum", "dome", "bell"]
    shade_top: float  # radius of the upper rim
    shade_height: float
    shade_wall: float
    stem: float  # height of the shade's lower rim
    pole: float  # radius
    foot: Literal["disc", "dome", "square"]
    foot_radius: float
    foot_height: float
    body: Literal["vase", "gourd", "column", "ball"]  # of table lamps
    body_radius: float
    body_height: float  # by the stem
    spread: float  # of a tripod's feet
    reach: float  # of a desk lamp's arm
    tilt: float  # degrees of a desk lamp's head
    finial: bool

    @classmethod
    def draw(cls, draw: Draw) -> "Lamp":
        kind: Kind = draw.weighed({"table": 0.45, "floor": 0.25, "tripod": 0.15, "desk": 0.15})
        return cls(
            kind=kind,
            shade=draw.weighed({"cone": 0.5, "drum": 0.2, "dome": 0.15, "bell": 0.15}),
            shade_top=draw.between(0.35, 0.7),
            shade_height=draw.between(0.8, 1.4),
            shade_wall=draw.between(0.02, 0.04),
            stem=draw.between(1.4, 2.2) if kind == "table" else draw.between(3.2, 4.8),
            pole=draw.between(0.05, 0.09),
            foot=draw.one(["disc", "dome", "square"]),
            foot_radius=draw.between(0.5, 0.8),
            foot_height=draw.between(0.06, 0.2),
            body=draw.one(["vase", "gourd", "column", "ball"]),
            body_radius=draw.between(0.35, 0.6),
            body_height=draw.between(0.65, 0.85),
            spread=draw.between(0.9, 1.3),
            reach=draw.between(1.2, 1.8),
            tilt=draw.between(15, 45),
            finial=draw.chance(0.4),
        )

    def parts(self) -> list[Part]:
        if self.kind == "desk":
            return self._desk()
        parts = [self._shade().move(y=self.stem), *self._spider()]
        if self.kind == "tripod":
            hub = np.array([0, 0.92 * self.stem, 0])
            feet = np.arange(3) * 2 * np.pi / 3 + np.pi / 2
            parts += [bar((self.spread * np.cos(a), 0, self.spread * np.sin(a)), hub, 0.7 * self.pole, self.pole)
                      for a in feet]  # fmt: skip
            return [*parts, bar((0, 0.88 * self.stem, 0), (0, self.stem + 0.3, 0), 1.6 * self.pole)]
        parts += [self._foot(), bar((0, 0.01, 0), (0, self.stem + 0.6 * self.shade_height, 0), self.pole)]
        return [*parts, self._body()] if self.kind == "table" else parts

    def _shade(self) -> Part:
        """A thin open shell from the lower rim, y = 0, to the upper."""
        t = np.linspace(0, 1, 9)
        top = self.shade_top
        radius = {
            "cone": 1 - (1 - top) * t,
            "drum": np.ones(9),
            "dome": top + (1 - top) * np.sqrt(1 - 0.98 * t**2),
            "bell": top + (1 - top) * (1 - t) ** 2,
        }[self.shade]
        outer = np.stack([radius, t * self.shade_height], -1)
        inner = outer[::-1] - np.array([self.shade_wall, 0])
        return lathe(np.concatenate([outer, inner]), closed=True)

    def _spider(self) -> list[Part]:
        y = self.stem + 0.6 * self.shade_height
        radius = 0.97 * (1 - (1 - self.shade_top) * 0.6 if self.shade == "cone" else self.shade_top)
        ends = ((radius, 0.0), (0.0, radius))
        parts = [bar((-x, y, -z), (x, y, z), 0.3 * self.pole) for x, z in ends]
        if self.finial:
            parts.append(bar((0, y - 0.02, 0), (0, self.stem + self.shade_height + 0.12, 0), 0.5 * self.pole))
        return parts

    def _foot(self) -> Part:
        r, h = self.foot_radius, self.foot_height
        if self.foot == "square":
            return box((-r, 0, -r), (r, h, r), 0.94)
        if self.foot == "disc":
            return lathe([(r, 0), (r, h)])
        t = np.linspace(0, 0.95, 7)
        return lathe(np.stack([r * np.sqrt(1 - t**2), 2 * h * t], -1))

    def _body(self) -> Part:
        t = np.linspace(0, 1, 17)
        shape = {
            "vase": 0.55 + 0.45 * np.sin(np.pi * t**0.7) - 0.2 * t**3,
            "gourd": 0.5 + 0.35 * _swell(t / 0.6) + 0.12 * _swell((t - 0.55) / 0.45) - 0.2 * t,
            "column": 0.5 + 0.06 * np.cos(6 * np.pi * t),
            "ball": 0.12 + 0.95 * np.sqrt(np.clip(1 - (2 * t - 1) ** 2, 0, 1)),
        }[self.body]
        low = 0.5 * self.foot_height
        return lathe(np.stack([self.body_radius * shape, low + t * (self.body_height * self.stem - low)], -1))

    def _desk(self) -> list[Part]:
        low, shoulder = np.array([0, 0, 0]), np.array([-0.45 * self.reach, 1.9 * self.reach, 0])
        head = shoulder + np.array([1.25 * self.reach, 0.55 * self.reach, 0])
        joint = np.array([0, 0, 0.12])
        shade = self._shade().move(y=-self.shade_height)
        cap = lathe([(self.shade_top, 0), (0.8 * self.shade_top, 0.15), (0.4 * self.shade_top, 0.2)]).move(y=-0.02)
        turn = rotation("z", self.tilt)
        return [
            self._foot(),
            bar(low, shoulder, self.pole),
            bar(shoulder, head, self.pole),
            bar(shoulder - joint, shoulder + joint, 1.8 * self.pole),
            *(part.turn(turn).move(*(head - [0, 0.12, 0])) for part in (shade, cap)),
        ]


def _swell(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """One smooth bump over 0 to 1."""
    bump: NDArray[np.float64] = np.sin(np.pi * np.clip(t, 0, 1))
    return bump
