"""Classification of a labelled set: an SVM on codes, the floors beneath it, and supervised references, in one table."""

from pcgen.studies.classification.rows import REFERENCES, encoder, majority, on_codes, supervised, usable
from pcgen.studies.classification.sets import Sets, check_points, labelled
from pcgen.studies.classification.table import Row, check_out, kept, table, write

__all__ = [
    "REFERENCES",
    "Row",
    "Sets",
    "check_out",
    "check_points",
    "encoder",
    "kept",
    "labelled",
    "majority",
    "on_codes",
    "supervised",
    "table",
    "usable",
    "write",
]
