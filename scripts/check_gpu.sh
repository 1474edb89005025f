#!/usr/bin/env bash
# On a machine with a GPU: builds pcgen, runs the tests that need the GPU, checks every op on it against the CPU, times it,
# and writes docs/gpu.md. PYTHON=python3 takes that interpreter and its torch in place of .venv. --quick tries it out on small clouds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -n "${PYTHON:-}" ]; then
    "$PYTHON" setup.py -q build_ext --inplace
else
    bash scripts/setup.sh
    PYTHON=.venv/bin/python
fi
failed=0
PYTHONPATH=$PWD "$PYTHON" -m pytest -q -p no:cacheprovider tests/ops/test_cuda_*.py -k gpu || failed=$?
PYTHONPATH=$PWD "$PYTHON" scripts/check_gpu.py --out docs/gpu.md "$@" || failed=$?
exit "$failed"
