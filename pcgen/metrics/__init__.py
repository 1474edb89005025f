"""Metrics between generated clouds and a reference set; each number carries the protocol it was computed under."""

from pcgen.metrics.coverage import coverage
from pcgen.metrics.jsd import JSD, Grid, jsd
from pcgen.metrics.mmd import mmd
from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.one_nna import OneNNA, one_nna
from pcgen.metrics.protocols import PROTOCOLS, Protocol, protocol

__all__ = [
    "JSD",
    "PROTOCOLS",
    "Grid",
    "Novelty",
    "OneNNA",
    "Protocol",
    "coverage",
    "jsd",
    "mmd",
    "novelty",
    "one_nna",
    "protocol",
]
