"""Metrics between generated clouds and a reference set; each number carries the protocol it was computed under."""

from pcgen.metrics.accuracy import Accuracy, accuracy
from pcgen.metrics.authenticity import authenticity
from pcgen.metrics.c_t import InCells, c_t
from pcgen.metrics.clock import Progress
from pcgen.metrics.comparable import mean_and_deviation
from pcgen.metrics.comparing import compare, side_by_side
from pcgen.metrics.copies import find_copies
from pcgen.metrics.coverage import coverage
from pcgen.metrics.details import details
from pcgen.metrics.evaluation import evaluate
from pcgen.metrics.features import FeatureSpace
from pcgen.metrics.frechet import FrechetClassifierDistance, frechet_classifier_distance, frechet_distance
from pcgen.metrics.jsd import JSD, Grid, jsd
from pcgen.metrics.manifolds import Manifolds, manifolds
from pcgen.metrics.medoids import medoids
from pcgen.metrics.mmd import mmd
from pcgen.metrics.novelty import Novelty, novelty
from pcgen.metrics.one_nna import OneNNA, one_nna
from pcgen.metrics.protocols import PROTOCOLS, Protocol, protocol
from pcgen.metrics.published import Published, published
from pcgen.metrics.report import Report
from pcgen.metrics.row import Row
from pcgen.metrics.svm import LinearSVM, linear_svm
from pcgen.metrics.vendi import Vendi, vendi
from pcgen.metrics.z_u import z_u
from pcgen.statistics import two_sample_test

__all__ = [
    "JSD",
    "PROTOCOLS",
    "Accuracy",
    "FeatureSpace",
    "FrechetClassifierDistance",
    "Grid",
    "InCells",
    "LinearSVM",
    "Manifolds",
    "Novelty",
    "OneNNA",
    "Progress",
    "Protocol",
    "Published",
    "Report",
    "Row",
    "Vendi",
    "accuracy",
    "authenticity",
    "c_t",
    "compare",
    "coverage",
    "details",
    "evaluate",
    "find_copies",
    "frechet_classifier_distance",
    "frechet_distance",
    "jsd",
    "linear_svm",
    "manifolds",
    "mean_and_deviation",
    "medoids",
    "mmd",
    "novelty",
    "one_nna",
    "protocol",
    "published",
    "side_by_side",
    "two_sample_test",
    "vendi",
    "z_u",
]
