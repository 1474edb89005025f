"""Classification of a labelled set: an SVM on codes, the floors beneath it, and supervised references, in one table."""

from pcgen.classification.rows import REFERENCES, majority, on_codes, supervised
from pcgen.classification.sets import Sets, check_points, labelled
from pcgen.classification.table import Row, kept, table, write

__all__ = [
    "REFERENCES",
    "Row",
    "Sets",
    "check_points",
    "kept",
    "labelled",
    "majority",
    "on_codes",
    "supervised",
    "table",
    "write",
]
