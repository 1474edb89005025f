#!/usr/bin/env bash
# Sets pcgen up and runs the main job on built-in chairs: an autoencoder, five generators on its codes, one table, one picture.
#   bash scripts/demo.sh [--quick] [--out FOLDER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
quick=false out=runs/demo
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true ;;
    --out) out=${2:?--out needs a folder} && shift ;;
    *) echo "demo: unknown option $1; there are --quick and --out FOLDER" >&2 && exit 2 ;;
    esac
    shift
done
bash scripts/setup.sh
pcgen=.venv/bin/pcgen
if $quick; then
    shapes=shapes:chair=600 points=512 steps=400 effort=0.2
else
    shapes=shapes:chair=1500 points=1024 steps=2400 effort=1
fi
"$pcgen" train autoencoder --data "$shapes" --points $points --steps $steps --schedule cosine --out "$out/autoencoder" --resume auto
"$pcgen" suite --data "$shapes" --codes "$out/autoencoder" --effort $effort --out "$out"
