"""Four clouds of seven points, which the tests of files write."""

import numpy as np

POINTS = np.random.default_rng(0).normal(size=(4, 7, 3)).astype(np.float32)
