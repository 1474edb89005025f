"""Chairs: a seat with a back, on legs, a pedestal, a star of castors, or sledge runners."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, bar, beam, hull, lathe

__all__ = ["Chair"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chair:
    """The parameters of a chair; lengths in metres, the floor at y = 0, the sitter looks towards +z."""

    seat: Literal["square", "tapered", "round"]
    width: float
    depth: float
    thickness: float
    height: float  # of the seat's upper face
    base: Literal["legs", "pedestal", "star", "sledge"]
    leg: float  # radius
    round_legs: bool
    splay: float  # how far each foot stands outside the seat
    stretcher: bool
    back: Literal["solid", "slats", "spindles", "frame"]
    back_height: float
    back_thickness: float
    recline: float  # how far the back's top lies behind its foot
    back_taper: float  # width of the back's top by that of its foot
    bars: int  # slats or spindles
    arms: bool
    arm_height: float
    cushion: bool

    @classmethod
    def draw(cls, draw: Draw) -> "Chair":
        return cls(
            seat=draw.weighed({"square": 0.6, "tapered": 0.25, "round": 0.15}),
            width=draw.between(0.42, 0.62),
            depth=draw.between(0.42, 0.56),
            thickness=draw.between(0.03, 0.09),
            height=draw.between(0.40, 0.50),
            base=draw.weighed({"legs": 0.64, "sledge": 0.12, "pedestal": 0.08, "star": 0.16}),
            leg=draw.between(0.016, 0.032),
            round_legs=draw.chance(0.5),
            splay=draw.between(0.0, 0.07),
            stretcher=draw.chance(0.35),
            back=draw.weighed({"solid": 0.4, "slats": 0.25, "spindles": 0.2, "frame": 0.15}),
            back_height=draw.between(0.35, 0.62),
            back_thickness=draw.between(0.02, 0.06),
            recline=draw.between(0.02, 0.16),
            back_taper=draw.between(0.75, 1.08),
            bars=draw.one([2, 3, 4, 5, 6]),
            arms=draw.chance(0.45),
            arm_height=draw.between(0.18, 0.25),
            cushion=draw.chance(0.2),
        )

    def parts(self) -> list[Part]:
        parts = [*self._seat(), *self._base(), *self._back()]
        return parts + (self._arms() if self.arms else [])

    def _seat(self) -> list[Part]:
        under, over = self.height - self.thickness, self.height
        x, z = self.width / 2, self.depth / 2
        if self.seat == "round":
            return [lathe([(1, under), (1, over)]).stretch(x, 1, z)]
        back = 0.8 if self.seat == "tapered" else 1.0
        plan = [(-back * x, -z), (back * x, -z), (x, z), (-x, z)]
        seat = [_slab(plan, under, over)]
        if self.cushion:
            plan = [(0.9 * u, 0.9 * v) for u, v in plan]
            seat.append(_slab(plan, over - 0.01, over + 0.05))
        return seat

    def _base(self) -> list[Part]:
        top = self.height - self.thickness / 2
        x, z = self.width / 2 - 1.5 * self.leg, self.depth / 2 - 1.5 * self.leg
        if self.seat == "round":
            x, z = 0.72 * x, 0.72 * z
        if self.base == "pedestal":
            foot = 0.45 * self.width
            return [
                bar((0, 0.02, 0), (0, top, 0), 1.6 * self.leg, sides=20),
                lathe([(foot, 0), (foot, 0.015), (0.3 * foot, 0.05)]),
            ]
        if self.base == "star":
            return self._star(top)
        feet = {(i, j): (i * (x + self.splay), j * (z + self.splay)) for i in (-1, 1) for j in (-1, 1)}
        sides = 14 if self.round_legs else 4
        radius = self.leg if self.round_legs else 1.3 * self.leg
        parts = [bar((u, 0, v), (i * x, top, j * z), 0.75 * radius, radius, sides) for (i, j), (u, v) in feet.items()]
        if self.base == "sledge":
            parts += [beam((feet[i, -1][0], radius, feet[i, -1][1]), (feet[i, 1][0], radius, feet[i, 1][1]),
                           2 * radius, 2 * radius) for i in (-1, 1)]  # fmt: skip
        elif self.stretcher:
            share = 0.35  # of the way from the floor to the seat
            u, v = x + self.splay * (1 - share), z + self.splay * (1 - share)
            parts += [bar((i * u, share * top, -v), (i * u, share * top, v), 0.6 * self.leg) for i in (-1, 1)]
            parts.append(bar((-u, share * top, 0), (u, share * top, 0), 0.6 * self.leg))
        return parts

    def _star(self, top: float) -> list[Part]:
        reach = 0.5 * self.width
        parts = [bar((0, 0.06, 0), (0, top, 0), 1.3 * self.leg)]
        for angle in np.arange(5) * 2 * np.pi / 5 + np.pi / 2:
            x, z = reach * np.cos(angle), reach * np.sin(angle)
            across = np.array([-np.sin(angle), 0, np.cos(angle)]) * 0.02
            castor = np.array([x, 0.03, z])
            parts.append(bar((0, 0.10, 0), (x, 0.06, z), 1.2 * self.leg, 0.7 * self.leg))
            parts.append(bar(castor - across, castor + across, 0.03))
        return parts

    def _back(self) -> list[Part]:
        foot, top = self.height - self.thickness / 2, self.height + self.back_height
        half = self.width / 2 * (0.8 if self.seat == "tapered" else 0.72 if self.seat == "round" else 1.0)
        behind = -self.depth / 2 * (0.72 if self.seat == "round" else 1.0) + self.back_thickness / 2 + 0.005

        def at(across: float, up: float) -> Floats:
            """A point of the back: across from -1 to 1, up from 0 at the seat to 1 at the top."""
            width = half * (1 + (self.back_taper - 1) * up) - self.back_thickness / 2
            return np.array([across * width, foot + up * (top - foot), behind - self.recline * up])

        def plank(low: float, high: float) -> Part:
            deep = np.array([0, 0, self.back_thickness / 2])
            sill = [at(-1, low) - deep, at(1, low) - deep, at(1, low) + deep, at(-1, low) + deep]
            head = [at(-1, high) - deep, at(1, high) - deep, at(1, high) + deep, at(-1, high) + deep]
            return hull(sill, head)

        if self.back == "solid":
            return [plank(0.0, 1.0)]
        posts = [bar(at(i, 0), at(i, 1), 0.7 * self.back_thickness, sides=12) for i in (-1, 1)]
        if self.back == "frame":
            return [*posts, plank(0.38, 0.98)]
        if self.back == "slats":
            edges = np.linspace(0.25, 1.0, self.bars + 1)
            return posts + [plank(high - 0.62 * (edges[1] - edges[0]), high) for high in edges[1:]]
        spindles = np.linspace(-1, 1, self.bars + 3)[1:-1]
        rail = plank(0.86, 1.0)
        return [*posts, rail, *(bar(at(i, 0), at(i, 0.9), 0.35 * self.back_thickness, sides=8) for i in spindles)]

    def _arms(self) -> list[Part]:
        x = self.width / 2 * (1.0 if self.seat != "round" else 0.85)
        up = self.height + self.arm_height
        share = self.arm_height / self.back_height
        back, front = -self.depth / 2 - self.recline * share + 0.02, 0.32 * self.depth
        arms = []
        for side in (-1, 1):
            arms.append(beam((side * x, up, back), (side * x, up, front + 0.04), 0.05, 0.03))
            foot = np.array([side * (x - 0.03), self.height - self.thickness / 2, front - 0.04])
            arms.append(bar(foot, (side * x, up, front), 0.018))
        return arms


def _slab(plan: list[tuple[float, float]], low: float, high: float) -> Part:
    return hull([(x, low, z) for x, z in plan], [(x, high, z) for x, z in plan])
