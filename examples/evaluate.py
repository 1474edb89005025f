"""Two sets of clouds under a protocol, as one table: python examples/evaluate.py

By default, chairs are used as good samples, and lamps as bad ones. Give your own files as SOURCE[:CLASS][@SPLIT].
"""

import argparse

from rich.console import Console

from pcgen import data, metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="*", default=["shapes:chair=60@train", "shapes:lamp=60@train"])
    parser.add_argument("--reference", default="shapes:chair=300@test", help="clouds to compare them with")
    parser.add_argument("--protocol", default="exact", help=", ".join(metrics.PROTOCOLS))
    parser.add_argument("--points", type=int, default=128, help="points of each cloud")
    asked = parser.parse_args()

    reference = data.load(asked.reference, points=asked.points)
    reports = {}
    for spec in asked.samples:
        clouds = data.load(spec, points=asked.points)
        clouds = clouds.select(range(min(len(clouds), len(reference))))  # as many as the reference has
        reports[spec] = metrics.evaluate(clouds, reference, protocol=asked.protocol, distances=("cd",))

    Console().print(metrics.compare(reports))
    for spec, report in reports.items():
        low, high = report.rows[0].intervals["one_nna_cd"]
        print(f"{spec}: 1-NNA-CD {report.one_nna_cd:.1%} ({low:.0%} to {high:.0%}), stamp {report.protocol['hash']}")


if __name__ == "__main__":
    main()
