"""Cars: saloons, hatchbacks, estates, pickups and vans, with their nose towards +z."""

from dataclasses import dataclass
from typing import Literal

from pcgen.data.shapes.draw import Draw
from pcgen.data.shapes.parts import Part, bar, box, extrude, hull, rotation

__all__ = ["Car"]


Kind = Literal["saloon", "hatchback", "estate", "suv", "pickup", "van"]


@dataclass(frozen=True)
class Car:
    """The parameters of a car; lengths in metres, the road at y = 0."""

    kind: Kind
    length: float
    width: float
    height: float  # of the roof
    belt: float  # height of the lower body by that of the roof
    clearance: float  # under the body
    hood: float  # length of the bonnet, by the length of the car
    boot: float  # length of the boot lid, by the length of the car
    windscreen: float  # how far the roof's front lies behind the bonnet, in metres
    rear_window: float  # how far the roof's rear lies before the boot lid, in metres
    narrowing: float  # width of the roof by that of the body
    nose_drop: float  # how far the bonnet falls towards the nose, in metres
    wheel: float  # radius
    wheel_width: float
    axle_front: float  # of the front axle behind the nose, by the length
    axle_rear: float  # of the rear axle before the tail, by the length
    spoiler: bool
    mirrors: bool
    rails: bool

    @classmethod
    def draw(cls, draw: Draw) -> "Car":
        kind: Kind = draw.weighed(
            {"saloon": 0.36, "hatchback": 0.2, "estate": 0.12, "suv": 0.14, "pickup": 0.1, "van": 0.08}
        )
        tall = kind in ("suv", "pickup", "van")
        boot = {"saloon": (0.13, 0.2), "pickup": (0.34, 0.4)}.get(kind, (0.0, 0.015))
        return cls(
            kind=kind,
            length=draw.between(3.7, 4.2) if kind == "hatchback" else draw.between(4.3, 5.2),
            width=draw.between(1.7, 1.95),
            height=draw.between(1.65, 1.9) if tall else draw.between(1.3, 1.5),
            belt=draw.between(0.57, 0.63),
            clearance=draw.between(0.36, 0.44) if tall else draw.between(0.26, 0.33),
            hood=draw.between(0.1, 0.14) if kind == "van" else draw.between(0.23, 0.3),
            boot=draw.between(*boot),
            windscreen=draw.between(0.45, 0.8),
            rear_window=draw.between(0.4, 0.75) if kind == "saloon" else draw.between(0.1, 0.4),
            narrowing=draw.between(0.72, 0.86),
            nose_drop=draw.between(0.06, 0.14),
            wheel=draw.between(0.38, 0.44) if tall else draw.between(0.33, 0.38),
            wheel_width=draw.between(0.22, 0.28),
            axle_front=draw.between(0.17, 0.21),
            axle_rear=draw.between(0.18, 0.23),
            spoiler=draw.chance(0.18) and kind in ("saloon", "hatchback"),
            mirrors=draw.chance(0.7),
            rails=draw.chance(0.3) and kind in ("estate", "suv", "van"),
        )

    @property
    def _belt(self) -> float:
        return self.belt * self.height

    def parts(self) -> list[Part]:
        # z is the distance from the nose, so it grows towards the tail; at the end the shape is rotated to face +z.
        parts = [*self._body(), *self._cabin(), *self._wheels(), *self._extras()]
        return [part.turn(rotation("y", 180)) for part in parts]

    @property
    def _axles(self) -> tuple[float, float]:
        return -self.length / 2 + self.axle_front * self.length, self.length / 2 - self.axle_rear * self.length

    def _body(self) -> list[Part]:
        """A shell above the wheels; under it nose, sills and tail, with gaps for the wheels."""
        half, low, belt, x = self.length / 2, self.clearance, self._belt, self.width / 2
        cowl, nose = -half + self.hood * self.length, belt - self.nose_drop
        fender = min(1.9 * self.wheel, nose - 0.05)
        # (z, y), counter-clockwise with z to the right.
        shell = [
            (-half + 0.01, fender), (half - 0.01, fender), (half - 0.03, belt - 0.05), (half - 0.1, belt),
            (cowl, belt), (-half + 0.12, nose), (-half + 0.01, nose - 0.04),
        ]  # fmt: skip
        front, rear = self._axles
        gap, top = 1.18 * self.wheel, fender + 0.01
        lip, toe = (-half, low + 0.15), (-half + 0.12, low)
        chin = [toe, (front - gap, low), (front - 0.9 * gap, top), (-half + 0.01, top), lip]
        sill = [(front + gap, low), (rear - gap, low), (rear - 0.9 * gap, top), (front + 0.9 * gap, top)]
        tail = [(rear + gap, low), (half - 0.12, low), (half, low + 0.15), (half - 0.01, top), (rear + 0.9 * gap, top)]
        well = x - 1.25 * self.wheel_width
        floor = box((-well, low + 0.04, front - 1.2 * gap), (well, top, rear + 1.2 * gap))
        return [extrude(shell, -x, x), *(extrude(outline, -x, x) for outline in (chin, sill, tail)), floor]

    def _cabin(self) -> list[Part]:
        half, belt, x = self.length / 2, self._belt, self.width / 2 - 0.03
        front = -half + self.hood * self.length - 0.05
        rear = half - self.boot * self.length - 0.1
        z0, z1, u = front + self.windscreen, rear - self.rear_window, x * self.narrowing
        under = belt - 0.05
        sill = [(-x, under, front), (x, under, front), (x, under, rear), (-x, under, rear)]
        roof = [(-u, self.height, z0), (u, self.height, z0), (u, self.height, z1), (-u, self.height, z1)]
        parts = [hull(sill, roof)]
        if self.kind == "pickup":
            # The load bed: walls that stand above the belt line around an open floor.
            wall, top, tail = 0.07, belt + 0.14, half - 0.13
            parts += [box((i * x - wall / 2, under, rear - 0.1), (i * x + wall / 2, top, tail)) for i in (-1, 1)]
            parts.append(box((-x, under, tail - wall), (x, top, tail)))
        return parts

    def _wheels(self) -> list[Part]:
        out = self.width / 2 + 0.05
        parts = []
        for z in self._axles:
            for side in (-1, 1):
                start, end = (side * (out - self.wheel_width), self.wheel, z), (side * out, self.wheel, z)
                hub = (side * (out - 0.02), self.wheel, z)
                parts.append(bar(start, end, self.wheel, sides=24))
                parts.append(bar(hub, (side * (out + 0.03), self.wheel, z), 0.5 * self.wheel, 0.4 * self.wheel))
        return parts

    def _extras(self) -> list[Part]:
        half, belt, x = self.length / 2, self._belt, self.width / 2
        front = -half + self.hood * self.length
        low, high = self.clearance + 0.1, self.clearance + 0.24
        parts = [box((-0.93 * x, low, z - 0.06), (0.93 * x, high, z + 0.06)) for z in (-half, half)]
        if self.mirrors:
            z = front + 0.3 * self.windscreen + 0.1
            parts += [box((i * (x + 0.1) - 0.1, belt, z), (i * (x + 0.1) + 0.1, belt + 0.14, z + 0.1)) for i in (-1, 1)]
        roof = self.width / 2 * self.narrowing - 0.1
        z0 = front + self.windscreen
        z1 = half - self.boot * self.length - 0.1 - self.rear_window
        if self.rails:
            y = self.height + 0.05
            parts += [box((i * roof - 0.025, y - 0.07, z0 + 0.05), (i * roof + 0.025, y, z1)) for i in (-1, 1)]
        if self.spoiler:
            z, y = (half - 0.2, belt + 0.14) if self.kind == "saloon" else (z1, self.height + 0.02)
            parts.append(box((-0.8 * x, y, z - 0.05), (0.8 * x, y + 0.04, z + 0.18)))
            if self.kind == "saloon":
                posts = (-0.6 * x, 0.6 * x)
                parts += [box((u - 0.03, belt - 0.02, z), (u + 0.03, y + 0.02, z + 0.08)) for u in posts]
        return parts
