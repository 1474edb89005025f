#!/usr/bin/env bash
# Sets pcgen up and runs the main job on built-in chairs: an autoencoder, seven generators on its codes, one table, one picture, one page.
#   bash scripts/demo.sh [--quick] [--out FOLDER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
quick=false out=runs/demo models=gan,wgan_gp,vae,diffusion,flow_matching,gmm,gaussian
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
    shapes=shapes:chair=500 points=512 steps=440 effort=0.08 emd_clouds=24
else
    shapes=shapes:chair=1000 points=1024 steps=1500 effort=0.42 emd_clouds=48
fi
"$pcgen" train autoencoder --data "$shapes" --points $points --steps $steps --out "$out/autoencoder" --resume auto
"$pcgen" suite --data "$shapes" --codes "$out/autoencoder" --models $models --effort $effort \
    --emd-clouds $emd_clouds --out "$out"
"$pcgen" report "$out" --out "$out/report.html" --overwrite
printf 'demo: the table is %s, the picture %s, the page %s\n' "$out/leaderboard.md" "$out/contact_sheet.png" "$out/report.html"
