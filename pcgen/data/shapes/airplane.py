"""Aeroplanes: airliners, propeller planes and jets, with their nose towards +z."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, bar, box, hull, lathe, rotation

__all__ = ["Airplane"]


Floats = NDArray[np.float64]
Kind = Literal["airliner", "propeller", "fighter"]
Place = Literal["wing", "tail", "nose", "inside"]


@dataclass(frozen=True)
class Airplane:
    """The parameters of an aeroplane, as shares of its length, which is 1."""

    kind: Kind
    radius: float  # of the fuselage
    nose: float  # length of the nose
    tail: float  # length of the tapering tail
    span: float  # from tip to tip
    chord: float  # of the wing at its root
    taper: float  # chord at the tip by chord at the root
    sweep: float  # degrees of the leading edge
    dihedral: float  # degrees
    wing_at: float  # of the wing root's middle along the fuselage, 0 nose, 1 tail
    wing_height: float  # by the radius: -1 low, 1 high
    wing_thickness: float  # by the chord
    tail_kind: Literal["low", "t", "twin"]
    tail_span: float
    fin: float  # height
    fin_sweep: float  # degrees
    engines: int
    engine_radius: float  # by the radius of the fuselage
    engine_place: Place
    winglets: bool

    @classmethod
    def draw(cls, draw: Draw) -> "Airplane":
        kind: Kind = draw.weighed({"airliner": 0.62, "propeller": 0.2, "fighter": 0.18})
        airliner, fighter = kind == "airliner", kind == "fighter"
        at_tail = airliner and draw.chance(0.25)
        place: Place = "tail" if at_tail else "wing" if airliner else "nose" if kind == "propeller" else "inside"
        span = {"airliner": (0.8, 1.1), "propeller": (1.1, 1.4), "fighter": (0.55, 0.75)}[kind]
        chord = {"airliner": (0.16, 0.24), "propeller": (0.16, 0.22), "fighter": (0.3, 0.45)}[kind]
        taper = {"airliner": (0.22, 0.4), "propeller": (0.6, 1.0), "fighter": (0.1, 0.35)}[kind]
        sweep = {"airliner": (22.0, 36.0), "propeller": (0.0, 6.0), "fighter": (36.0, 52.0)}[kind]
        return cls(
            kind=kind,
            radius=draw.between(0.04, 0.055) if fighter else draw.between(0.045, 0.065),
            nose=draw.between(0.25, 0.35) if fighter else draw.between(0.08, 0.16),
            tail=draw.between(0.12, 0.2) if fighter else draw.between(0.28, 0.42),
            span=draw.between(*span),
            chord=draw.between(*chord),
            taper=draw.between(*taper),
            sweep=draw.between(*sweep),
            dihedral=draw.between(-4, 3) if fighter else draw.between(2, 8),
            wing_at=draw.between(0.56, 0.62) if fighter else draw.between(0.42, 0.5),
            wing_height=draw.between(-0.75, -0.4) if airliner else draw.one([-0.6, 0.0, 0.9]),
            wing_thickness=draw.between(0.04, 0.07) if fighter else draw.between(0.09, 0.14),
            tail_kind="t" if at_tail else "twin" if fighter and draw.chance(0.5) else "low",
            tail_span=draw.between(0.3, 0.42),
            fin=draw.between(0.14, 0.2),
            fin_sweep=draw.between(10, 30) if kind == "propeller" else draw.between(30, 45),
            engines=draw.one([2, 2, 4]) if place == "wing" else 2 if place == "tail" else 1,
            engine_radius=draw.between(0.45, 0.65),
            engine_place=place,
            winglets=airliner and draw.chance(0.4),
        )

    def parts(self) -> list[Part]:
        # z is the distance from the nose, so it grows towards the tail; at the end the shape is rotated to face +z.
        parts = [self._fuselage(), *self._wings(), *self._tail(), *self._engines()]
        return [part.turn(rotation("y", 180)) for part in parts]

    def _fuselage(self) -> Part:
        nose = np.linspace(0.02, 1, 8)
        power = 0.6 if self.kind != "fighter" else 0.8
        tip = 0.55 if self.kind == "fighter" else 0.18
        front = [(self.radius * t**power, self.nose * (t - 0.02)) for t in nose]
        back = [(self.radius * (1 - (1 - tip) * t**1.5), 1 - self.tail * (1 - t)) for t in np.linspace(0, 1, 7)]
        return lathe([*front, *back], sides=24).turn(rotation("x", 90)).move(z=-0.5)

    def _blade(self, root: Floats, out: Floats, chord: float, taper: float, sweep: float, thick: float) -> Part:
        """A wing from its root (the middle of its chord) along `out`, its leading edge swept back by degrees."""
        length = float(np.linalg.norm(out))
        back = np.array([0.0, 0.0, 1.0])
        across = np.cross(out / length, back)
        lead = root - back * chord / 2
        tip = lead + out + back * length * np.tan(np.radians(sweep))
        outline = np.array([(0, 0), (0.12, 0.4), (0.35, 0.5), (1, 0.03), (1, -0.03), (0.35, -0.5), (0.12, -0.4)])
        section = outline[:, :1] * back + thick * outline[:, 1:] * across
        return hull(lead + chord * section, tip + chord * taper * section)

    def _wing_point(self, share: float) -> Floats:
        """The middle of the chord at a share of the way from the fuselage's middle to the right tip."""
        half = self.span / 2 * share
        chord = self.chord * (1 - (1 - self.taper) * share)
        z = self.wing_at - 0.5 - self.chord / 2 + half * np.tan(np.radians(self.sweep)) + chord / 2
        return np.array([half, self.wing_height * self.radius + half * np.tan(np.radians(self.dihedral)), z])

    def _wings(self) -> list[Part]:
        root = np.array([0, self.wing_height * self.radius, self.wing_at - 0.5])
        half, rise = self.span / 2, np.tan(np.radians(self.dihedral))
        parts = []
        for side in (-1, 1):
            out = np.array([side * half, half * rise, 0])
            parts.append(self._blade(root, out, self.chord, self.taper, self.sweep, self.wing_thickness))
            if self.winglets:
                tip = self._wing_point(0.985) * np.array([side, 1, 1])
                up = np.array([side * 0.015, 0.06, 0])
                parts.append(self._blade(tip, up, self.chord * self.taper, 0.5, 40, 0.08))
        return parts

    def _tail(self) -> list[Part]:
        end = 0.5 - 0.02
        chord = 0.6 * self.fin + 0.06
        parts = []
        sides = (-0.6, 0.6) if self.tail_kind == "twin" else (0,)
        for x in sides:
            root = np.array([x * self.radius, 0.2 * self.radius, end - chord / 2 - 0.02])
            lean = np.array([0.25 * x * self.fin, self.fin + 0.5 * self.radius, 0])
            parts.append(self._blade(root, lean, chord, 0.5, self.fin_sweep, 0.08))
        if self.tail_kind == "t":
            y = 0.2 * self.radius + self.fin + 0.5 * self.radius - 0.01
            z = end - chord - 0.02 + (self.fin + 0.5 * self.radius) * np.tan(np.radians(self.fin_sweep)) + 0.25 * chord
        else:
            y, z = 0.2 * self.radius, end - 0.07
        half = self.tail_span / 2
        for side in (-1, 1):
            out = np.array([side * half, 0.06 * half, 0])
            parts.append(self._blade(np.array([0, y, z]), out, 0.12, 0.5, min(self.sweep + 4, 40), 0.08))
        return parts

    def _engines(self) -> list[Part]:
        if self.engine_place == "inside":
            return [self._canopy()]
        if self.engine_place == "nose":
            return [*self._propeller(), *self._wheels()]
        radius = self.engine_radius * self.radius
        # A nacelle from its rear end to its open mouth: the wall, the lip, and the fan behind it.
        outline = [(0.7, 0), (0.95, 0.35), (1.0, 0.7), (0.9, 1.0), (0.78, 1.0), (0.78, 0.85)]
        nacelle = lathe(outline, sides=20).stretch(radius, 3.6 * radius, radius).turn(rotation("x", -90))
        return self._on_tail(nacelle, radius) if self.engine_place == "tail" else self._under_wing(nacelle, radius)

    def _on_tail(self, nacelle: Part, radius: float) -> list[Part]:
        parts = []
        for side in (-1, 1):
            x, y, z = side * (self.radius + 0.8 * radius), 0.35 * self.radius, 0.58 - self.tail
            parts.append(nacelle.move(x, y, z))
            parts.append(bar((0, y, z - radius), (x, y, z - radius), 0.35 * radius))
        return parts

    def _under_wing(self, nacelle: Part, radius: float) -> list[Part]:
        parts = []
        for side in (-1, 1):
            for spot in [0.34] if self.engines == 2 else [0.3, 0.58]:
                x, top, wing = self._wing_point(spot)
                chord = self.chord * (1 - (1 - self.taper) * spot)
                y, z = top - 1.25 * radius, wing - 0.32 * chord
                parts.append(nacelle.move(side * x, y, z + 0.9 * radius))
                low = (side * x - 0.15 * radius, y + 0.8 * radius, z - radius)
                parts.append(box(low, (side * x + 0.15 * radius, top, wing)))
        return parts

    def _canopy(self) -> Part:
        outline = [(0.02, 0), (0.5, 0.1), (0.8, 0.35), (0.8, 0.6), (0.3, 0.95), (0.02, 1)]
        upright = lathe(outline, sides=16).stretch(0.6 * self.radius, 0.28, 0.9 * self.radius)
        return upright.turn(rotation("x", 90)).move(y=0.75 * self.radius, z=self.nose - 0.6)

    def _propeller(self) -> list[Part]:
        radius = self.engine_radius * self.radius
        disc, chord = 0.11 + radius, 0.012
        hub = lathe([(0.9 * radius, 0), (0.5 * radius, 0.03), (0.004, 0.05)], sides=16)
        return [
            hub.turn(rotation("x", -90)).move(z=-0.49),
            box((-chord, -disc, -0.505), (chord, disc, -0.495)),
            box((-disc, -chord, -0.505), (disc, chord, -0.495)),
        ]

    def _wheels(self) -> list[Part]:
        parts = []
        for side in (-1, 1):
            x, y, z = side * 0.11, -0.17, -0.2
            parts.append(bar((side * 0.4 * self.radius, -0.4 * self.radius, z), (x, y, z), 0.008))
            parts.append(bar((x - 0.012, y, z), (x + 0.012, y, z), 0.035))
        return parts
