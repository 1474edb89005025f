#!/usr/bin/env bash
# Sets pcgen up and checks all of it: formatter, linter, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
bin=.venv/bin
"$bin/ruff" format --check .
"$bin/ruff" check .
"$bin/mypy"
"$bin/python" scripts/update_pages.py --check
# Two workers with one thread each beat one worker with two threads: most tests are small.
OMP_NUM_THREADS=1 "$bin/python" -m pytest -n 2 "$@"
