"""Tables: a top on legs, side panels, trestles or a pedestal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, bar, beam, box, lathe

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """The parameters of a table; lengths in metres, the floor at y = 0, the long side along x."""

    top: Literal["square", "oval"]
    length: float
    depth: float
    height: float
    thickness: float
    base: Literal["legs", "pedestal", "trestle", "panels"]
    leg: float  # radius
    round_legs: bool
    leg_taper: float  # radius at the floor by radius at the top
    inset: float  # of the legs from the edge, by the size of the top
    splay: float
    apron: float  # height of the frame under the top; 0 without
    stretchers: bool
    shelf: bool
    drawers: int

    @classmethod
    def draw(cls, draw: Draw) -> "Table":
        low = draw.chance(0.35)  # coffee tables beside dining tables and desks
        oval = draw.chance(0.3)
        length = draw.between(0.8, 1.3) if low else draw.between(0.9, 1.8)
        return cls(
            top="oval" if oval else "square",
            length=length,
            depth=length * (draw.between(0.65, 1.0) if oval else draw.between(0.45, 1.0)),
            height=draw.between(0.34, 0.50) if low else draw.between(0.68, 0.80),
            thickness=draw.between(0.02, 0.06),
            base=draw.weighed({"legs": 0.6, "pedestal": 0.1 if not oval else 0.6, "trestle": 0.12, "panels": 0.14}),
            leg=draw.between(0.02, 0.045),
            round_legs=draw.chance(0.45),
            leg_taper=draw.between(0.5, 1.0),
            inset=draw.between(0.02, 0.10),
            splay=draw.between(0.0, 0.06) if draw.chance(0.4) else 0.0,
            apron=draw.between(0.05, 0.11) if draw.chance(0.55) else 0.0,
            stretchers=draw.chance(0.25),
            shelf=draw.chance(0.22),
            drawers=draw.weighed({0: 0.75, 1: 0.12, 2: 0.13}),
        )

    def parts(self) -> list[Part]:
        x, z, under = self.length / 2, self.depth / 2, self.height - self.thickness
        if self.top == "oval":
            top = lathe([(1, under), (1, self.height)], sides=40).stretch(x, 1, z)
        else:
            top = box((-x, under, -z), (x, self.height, z))
        base = {"legs": self._legs, "pedestal": self._pedestal, "trestle": self._trestle, "panels": self._panels}
        return [top, *base[self.base]()]

    def _corner(self) -> tuple[float, float]:
        """Where the legs meet the top, from its centre: inside the ellipse of an oval top."""
        share = (0.64 if self.top == "oval" else 1.0) - self.inset
        return share * self.length / 2 - self.leg, share * self.depth / 2 - self.leg

    def _legs(self) -> list[Part]:
        x, z = self._corner()
        top, sides = self.height - self.thickness / 2, 14 if self.round_legs else 4
        radius = self.leg if self.round_legs else 1.3 * self.leg
        parts = []
        for i in (-1, 1):
            for j in (-1, 1):
                foot = (i * (x + self.splay), 0, j * (z + self.splay))
                parts.append(bar(foot, (i * x, top, j * z), self.leg_taper * radius, radius, sides))
        if self.apron:
            under = self.height - self.thickness - self.apron
            parts += [box((-x, under, j * z - 0.012), (x, top, j * z + 0.012)) for j in (-1, 1)]
            parts += [box((i * x - 0.012, under, -z), (i * x + 0.012, top, z)) for i in (-1, 1)]
        if self.stretchers:
            u, v, y = x + 0.8 * self.splay, z + 0.8 * self.splay, 0.2 * self.height
            parts += [bar((i * u, y, -v), (i * u, y, v), 0.6 * self.leg) for i in (-1, 1)]
            parts.append(bar((-u, y, 0), (u, y, 0), 0.6 * self.leg))
        elif self.shelf:
            u, v, y = x + 0.6 * self.splay, z + 0.6 * self.splay, 0.3 * self.height
            parts.append(box((-u, y, -v), (u, y + 0.025, v)))
        return parts

    def _pedestal(self) -> list[Part]:
        foot, top = 0.32 * self.depth, self.height - self.thickness / 2
        if self.round_legs:
            base = [lathe([(foot, 0), (foot, 0.02), (1.2 * self.leg, 0.07)])]
        else:
            base = [
                beam((0, 0.03, 0), (1.2 * foot * np.cos(angle), 0.03, 1.2 * foot * np.sin(angle)), 0.07, 0.06)
                for angle in np.arange(4) * np.pi / 2 + np.pi / 4
            ]
        column = [
            (1.6, 0.02 / top),
            (1.2, 0.15),
            (1.5, 0.5),
            (1.1, 0.8),
            (2.2, 1.0),
        ]  # by the leg and the top
        return [*base, lathe([(radius * self.leg, height * top) for radius, height in column])]

    def _trestle(self) -> list[Part]:
        x, z, top = 0.68 * self.length / 2, 0.75 * self.depth / 2, self.height - self.thickness / 2
        parts = []
        for i in (-1, 1):
            parts += [beam((i * x, 0, j * z), (i * x, top, j * 0.15 * z), 0.05, 0.05, (0, 0, 1)) for j in (-1, 1)]
            parts.append(beam((i * x, 0.4 * top, -0.66 * z), (i * x, 0.4 * top, 0.66 * z), 0.04, 0.05))
        parts.append(beam((-x, 0.4 * top, 0), (x, 0.4 * top, 0), 0.04, 0.06))
        return parts

    def _panels(self) -> list[Part]:
        x, z = self._corner()
        thick, top, under = max(self.thickness, 0.025), self.height - self.thickness / 2, self.height - self.thickness
        parts = [box((i * x - thick / 2, 0, -z), (i * x + thick / 2, top, z)) for i in (-1, 1)]
        parts.append(box((-x, 0.45 * top, -z), (x, top, -z + 0.02)))
        for drawer in range(self.drawers):
            parts.append(box((0.45 * x, under - 0.14 * (drawer + 1), -0.9 * z), (x, under - 0.14 * drawer, 0.95 * z)))
        return parts
