#!/usr/bin/env bash
# Sets pcgen up in .venv: pinned packages, the native library, the system libraries that Open3D needs.
# Run again it only checks that nothing has changed. PYTHON=python3.12 chooses the interpreter of a new .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

default=python3
[ ! -x .venv/bin/python ] || default=.venv/bin/python
python=${PYTHON:-$default}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || {
    say "needs Python 3.11 to 3.13, found $("$python" --version 2>&1 || echo none); set PYTHON=/path/to/python3.12"
    exit 2
}

version() { "$1" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2>/dev/null || echo "a Python that does not start"; }
if [ -n "${PYTHON:-}" ] && [ -e .venv/bin/python ] && [ "$(version .venv/bin/python)" != "$(version "$python")" ]; then
    say "PYTHON=$python is $(version "$python"), and .venv has $(version .venv/bin/python); delete it to change it: rm -r $PWD/.venv"
    exit 2
fi

compilers() {
    { "${CUDA_HOME:-}/bin/nvcc" --version || nvcc --version || /usr/local/cuda/bin/nvcc --version; } 2>/dev/null || echo "no nvcc"
    env | grep -E '^(PCGEN_CUDA[A-Z_]*|CUDA_HOME|CXX|CXXFLAGS|LDFLAGS)=' | LC_ALL=C sort || true
}

# Everything that the installation depends on; what is Python alone is installed in place and needs nothing again.
state=$({ "$python" --version; pwd; compilers; cat constraints.txt pyproject.toml setup.py scripts/setup.sh; find csrc -type f | LC_ALL=C sort | xargs cat; } | cksum)
libraries() { find pcgen/lib -name 'libpcgen_*.so' 2>/dev/null | LC_ALL=C sort; }  # without one that is gone
stamp=.venv/pcgen-setup
if [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state $(libraries)" ]; then
    exit 0
fi

system_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    local missing=() entry known
    # Not through a pipe, which fails where grep ends before ldconfig does; and users may have no /sbin in their PATH.
    known=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null || true)
    for entry in libusb-1.0.so.0:libusb-1.0-0 libEGL.so.1:libegl1 libGL.so.1:libgl1 libX11.so.6:libx11-6; do
        [[ $known == *"${entry%%:*}"* ]] || missing+=("${entry##*:}")
    done
    compgen -G '/usr/lib/*/dri/*_dri.so' >/dev/null || missing+=(libgl1-mesa-dri)
    [ ${#missing[@]} -gt 0 ] || return 0
    local line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "$line"
        if (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}") >/dev/null; then
            return 0
        fi
    fi
    say "Open3D lacks ${missing[*]}; pictures come from matplotlib until you run: sudo sh -c '$line'"
}

[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

say "packages (pinned by constraints.txt)"
# torch first and alone: nothing that is installed after it may bring another one.
pip install -q -c constraints.txt torch setuptools wheel
say "pcgen and its native library"
pip install -q -c constraints.txt --no-build-isolation -e '.[dev]'
if said=$(pip install -q -c constraints.txt -e '.[view]' --no-build-isolation 2>&1); then
    whole=yes
elif grep -q "No matching distribution found for open3d" <<<"$said"; then
    say "Open3D has no package for this Python; pictures come from matplotlib"
    whole=yes
else
    echo "$said" >&2
    say "Open3D could not be installed; pictures come from matplotlib until this script is run again"
    whole=
fi
system_libraries
[ -z "$whole" ] || printf '%s' "$state $(libraries)" >"$stamp"
say "done; the command is .venv/bin/pcgen"
