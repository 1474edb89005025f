"""Metrics between generated clouds and a reference set; each number carries the protocol it was computed under."""

from pcgen.metrics.coverage import coverage
from pcgen.metrics.evaluation import evaluate
from pcgen.metrics.jsd import JSD, Grid, jsd
from pcgen.metrics.manifolds import Manifolds, manifolds
from pcgen.metrics.mmd import mmd
from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.one_nna import OneNNA, one_nna
from pcgen.metrics.pairs import Progress
from pcgen.metrics.protocols import PROTOCOLS, Protocol, protocol
from pcgen.metrics.report import Report, Row, compare, side_by_side

__all__ = [
    "JSD",
    "PROTOCOLS",
    "Grid",
    "Manifolds",
    "Novelty",
    "OneNNA",
    "Progress",
    "Protocol",
    "Report",
    "Row",
    "compare",
    "coverage",
    "evaluate",
    "jsd",
    "manifolds",
    "mmd",
    "novelty",
    "one_nna",
    "protocol",
    "side_by_side",
]
