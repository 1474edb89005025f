"""Tables of docs/performance.md: memory by arithmetic, and times from results/."""

import tables

from pcgen.models import MODELS

_POINTS = (1024, 2048, 8192)
_CLOUDS = (1_000, 10_000, 100_000)
_FLOAT32 = 4


def memory() -> str:
    """What sets of clouds take: three float32 numbers for each point."""
    lines = [(f"{clouds:,}", *(_amount(clouds * points * 3 * _FLOAT32) for points in _POINTS)) for clouds in _CLOUDS]
    return tables.grid(("clouds:", *(f"{points:,} points:" for points in _POINTS)), lines)


def _amount(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def drawing(rows: tables.Rows) -> str:
    """For each head with its default sampler: how long codes and the clouds of them take."""
    lines = [
        (row["head"], row["evaluations"], f"{float(row['seconds_1000_codes']):.2f} s", _seconds(row))
        for row in rows
        if row["sampler"] == "default"
    ]
    return tables.grid(("head", "evaluations of the network:", "1,000 codes:", "1,000 clouds:"), lines)


def _seconds(row: dict[str, str]) -> str:
    return f"{float(row['seconds_1000_clouds']):.2f} s" if row["seconds_1000_clouds"] else ""


def training(rows: tables.Rows) -> str:
    """For each head how many numbers it stores, and how long its default training takes, over all sets of codes."""
    lines = []
    for model in (name for name in dict.fromkeys(row["model"] for row in rows) if name in MODELS):
        own = [row for row in rows if row["model"] == model]
        weights, seconds = ([float(row[column]) for row in own] for column in ("weights", "seconds"))
        lines.append((model, f"{max(weights):,.0f}", tables.between(seconds)))
    codes = ", ".join(dict.fromkeys(f"{row['training_codes']} of {row['data']}" for row in rows))
    return f"training codes: {codes}\n\n{tables.grid(('head', 'numbers stored:', 'training:'), lines)}"
