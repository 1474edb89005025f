"""Which clouds stand on which page of a window."""

from collections.abc import Sequence

from pcgen.errors import at_least

__all__ = ["Page", "pages_of"]

Page = tuple[list[list[int]], list[int]]
"""The places of the clouds of each group that has some on the page, and which groups these are."""


def pages_of(groups: Sequence[int], most: int) -> list[Page]:
    """Pages of at most this many clouds of each group, all groups side by side on each page.

    Args:
        groups: how many clouds belong together, one number a group.
        most: clouds of a group on a page.

    Raises:
        ValueError: `most` is below 1.

    >>> pages_of([3, 1], 2)
    [([[0, 1], [3]], [0, 1]), ([[2]], [0])]
    """
    at_least(1, page=most)
    begins = [sum(groups[:place]) for place in range(len(groups))]
    pages: list[Page] = []
    for start in range(0, max(groups), most):
        there = [group for group, count in enumerate(groups) if count > start]
        places = [list(range(begins[g] + start, begins[g] + min(start + most, groups[g]))) for g in there]
        pages.append((places, there))
    return pages
