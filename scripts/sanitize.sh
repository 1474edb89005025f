#!/usr/bin/env bash
# Builds the CPU library with AddressSanitizer and UndefinedBehaviorSanitizer beside the real one, and runs the tests of the
# ops on it, those of the CUDA programs' emulation too. A read out of bounds, a signed overflow, ... ends it with an error.
# It sets pcgen up if need be, and needs g++. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
python=.venv/bin/python folder=build/sanitized

runtime=
for library in libasan.so libubsan.so libstdc++.so; do
    path=$(g++ -print-file-name=$library)
    # g++ prints the bare name of what it does not have.
    [ -e "$path" ] || { echo "sanitize: $library is absent: install g++ with its sanitizers (apt-get install g++)" >&2 && exit 2; }
    runtime+=${runtime:+ }$(readlink -f "$path")
done

# The compiler's name carries the flags, so that the tests compile the emulation with them too.
export CXX="g++ -fsanitize=address,undefined -fno-sanitize-recover=all"
PCGEN_CUDA=0 CXXFLAGS="-O1 -g1" "$python" setup.py -q build_ext --build-lib "$folder"

# Python leaks by design. The runtimes must come before the first library that uses them, torch's among them.
export PCGEN_LIBRARY_FOLDER=$PWD/$folder/pcgen/lib OMP_NUM_THREADS=1
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
# What runs no code of the library is left out. A report goes to the terminal past pytest, which dies with the process. Each
# file's tests stay together, as the emulation is compiled once for each process.
LD_PRELOAD=$runtime exec "$python" -m pytest -n 2 --dist loadfile -p no:cacheprovider --capture=sys tests/ops \
    --ignore=tests/ops/test_transport.py --ignore=tests/ops/test_native_library.py -k "not opcheck" "$@"
