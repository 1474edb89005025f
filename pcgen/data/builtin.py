"""The built-in shapes as a source of clouds."""

from pcgen.data import shapes
from pcgen.data.source import Listing, Raw
from pcgen.errors import choose

__all__ = ["DEFAULT_COUNT", "list_shapes"]

DEFAULT_COUNT = 1000


def list_shapes(classes: tuple[str, ...], seed: int) -> Listing:
    """Shapes of the families asked for, `FAMILY` or `FAMILY=COUNT` each; of all families if none is.

    Raises:
        ValueError: a family is unknown, asked for twice, or its count is no positive whole number.
    """
    rows: list[tuple[str, int]] = []
    families: list[str] = []
    for asked in classes or tuple(shapes.FAMILIES):
        family, equals, count = asked.partition("=")
        choose(family, shapes.FAMILIES, "shapes")
        if equals and not (count.isdecimal() and int(count) > 0):
            raise ValueError(f"shapes:{asked}: must be FAMILY=COUNT with COUNT >= 1, as shapes:{family}=200")
        if family in families:
            raise ValueError(f"shapes:{','.join(classes)}: names {family!r} twice; name each family once")
        families.append(family)
        rows += [(family, index) for index in range(int(count) if equals else DEFAULT_COUNT)]

    def read(row: int, surface_points: int) -> Raw:
        return Raw(*shapes.cloud(*rows[row], points=surface_points, seed=seed), sampled=True)

    return Listing(
        names=[f"{family}/{index}" for family, index in rows],
        read=read,
        labels=[family for family, _ in rows],
        splits=[shapes.split(index) for _, index in rows],
        classes=tuple(families),
        up="y",
    )
