"""Neighbours-only EMD: the numbers of the full matrix to the bit, for fewer distances."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pcgen import ops
from pcgen.metrics import evaluate, pairs
from pcgen.metrics.blocks import Block
from pcgen.metrics.clock import Progress
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.store import TileStore
from pcgen.ops import search
from pcgen.ops.search import Search

pytestmark = pytest.mark.filterwarnings("ignore:(sets|axes|scale|samples|reference|1-NNA|JSD). :UserWarning")


def ellipsoids(count: int, points: int = 64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(count, points, 3, generator=generator), dim=2)
    return directions * (0.2 + torch.rand(count, 1, 3, generator=generator))


def matched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the number of pairs of every matching."""
    counts: list[int] = []
    real = ops.match

    def counting(x: Tensor, y: Tensor) -> ops.Matching:
        counts.append(len(x))
        return real(x, y)

    monkeypatch.setattr(search, "match", counting)
    return counts


def test_the_least_entries_are_those_of_the_full_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ellipsoids(24), ellipsoids(31, seed=1)
    counts = matched(monkeypatch)
    blocks = {"ab": Block("", "exact", a, b, nearest=True), "aa": Block("", "exact", a, a, nearest=True)}
    found = pair_matrices(blocks)
    assert sum(counts) < 0.6 * (24 * 31 + 24 * 23 / 2)
    for key, whole in (("ab", ops.emd_matrix(a, b)), ("aa", ops.emd_matrix(a, a))):
        computed = found[key].isfinite()
        assert torch.equal(found[key][computed], whole[computed])
        if key == "aa":
            assert torch.equal(found[key], found[key].T) and found[key].diagonal().eq(0).all()
            for matrix in (found[key], whole):
                matrix.fill_diagonal_(torch.inf)
        for dim in (0, 1):
            assert torch.equal(found[key].argmin(dim), whole.argmin(dim))
            assert torch.equal(found[key].amin(dim), whole.amin(dim))


def test_the_two_least_entries_of_columns_are_found_for_fewer_distances_too(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ellipsoids(24), ellipsoids(31, seed=1)
    counts = matched(monkeypatch)
    found = pair_matrices({"ab": Block("", "exact", a, b, nearest=True, second=True)})["ab"]
    assert sum(counts) < 0.7 * 24 * 31
    whole = ops.emd_matrix(a, b)
    assert torch.equal(found.topk(2, 0, largest=False).values, whole.topk(2, 0, largest=False).values)
    assert torch.equal(found.argmin(1), whole.argmin(1))


def test_whether_a_row_has_a_nearer_entry_than_an_earlier_block_takes_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ellipsoids(30), ellipsoids(26, seed=1)
    between, among = ops.emd_matrix(a, b), ops.emd_matrix(a, a).fill_diagonal_(torch.inf)
    counts = matched(monkeypatch)

    def count(blocks: dict[str, Block]) -> tuple[int, dict[str, Tensor]]:
        counts.clear()
        found = pair_matrices(blocks)
        return sum(counts), found

    first = Block("", "exact", a, b, nearest=True)
    alone, _ = count({"ab": first})
    nearest, _ = count({"aa": Block("", "exact", a, a, nearest=True)})
    both, found = count({"ab": first, "aa": Block("", "exact", a, a, nearest=True, below="ab")})
    assert both - alone < 0.8 * nearest
    want = among.amin(1) <= between.amin(1)
    assert torch.equal(found["aa"].fill_diagonal_(torch.inf).amin(1) <= between.amin(1), want) and 0 < want.sum() < 30


def near_and_full(samples: Tensor, reference: Tensor, train: Tensor | None = None) -> tuple[dict, dict]:
    """The two reports, without what only the full matrix gives."""
    near, full = (
        json.loads(evaluate(samples, reference, train, distances=("emd",), full=full).to_json())
        for full in (False, True)
    )
    balls = {f"{metric}_emd" for metric in ("precision", "recall", "density", "coverage")}
    for row in full["rows"]:
        extra = balls | {metric for metric in row["values"] if metric.startswith("vendi")}
        assert balls <= row["values"].keys() and not extra & near["rows"][0]["values"].keys()
        for metric in extra:
            del row["values"][metric]
    full["notes"] = [note for note in full["notes"] if not note.startswith("Vendi")]
    return near, full


def test_every_number_is_that_of_the_full_matrix_to_the_bit() -> None:
    samples, reference, train = ellipsoids(18), ellipsoids(25, 128, seed=1), ellipsoids(30, seed=2)
    near, full = near_and_full(samples, reference[:, :64].contiguous(), train)
    assert near == full and set(near["rows"][0]["intervals"]) == {"jsd", "mmd_emd", "cov_emd", "one_nna_emd"}
    assert [row["name"] for row in near["rows"]] == ["samples", "training set"]


def test_ties_are_decided_as_in_the_full_matrix() -> None:
    base = ellipsoids(9)
    shuffled = base[:, torch.randperm(64)]
    # Samples that are reference clouds in another order, some of them twice, and equal clouds in the reference.
    near, full = near_and_full(torch.cat((shuffled[:5], base[2:7])), torch.cat((base, shuffled[3:6], base[:2])))
    assert near == full
    same, whole = near_and_full(base[:1].expand(7, -1, -1).contiguous(), base[:1].expand(8, -1, -1).contiguous())
    assert same == whole and same["mmd_emd"] == 0.0 and same["one_nna_emd"] == 1 / 2


def test_clouds_far_from_the_origin() -> None:
    near, full = near_and_full(ellipsoids(9) * 1e-3 + 1e2, ellipsoids(11, seed=1) * 1e-3 + 1e2)
    assert near == full


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_killed_search_goes_on(rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ellipsoids(20), ellipsoids(22, seed=1)
    blocks = {"ab": Block("", "exact", a, b, nearest=True), "aa": Block("", "exact", a, a, nearest=True, below="ab")}
    want = pair_matrices(blocks)
    monkeypatch.setattr(pairs, "_SAVE_SECONDS", -1.0)
    real = Search.advance
    done = []

    def dying(self: Search, *share: object) -> int:
        if len(done) == rounds:
            raise KeyboardInterrupt
        done.append(self)
        return real(self, *share)

    monkeypatch.setattr(Search, "advance", dying)
    with pytest.raises(KeyboardInterrupt):
        pair_matrices(blocks, TileStore(tmp_path))
    monkeypatch.setattr(Search, "advance", real)
    counts = matched(monkeypatch)
    pair_matrices(blocks)
    whole = sum(counts)
    counts.clear()
    got = pair_matrices(blocks, TileStore(tmp_path))
    assert sum(counts) < whole and all(torch.equal(got[key], want[key]) for key in want)
    counts.clear()
    again = pair_matrices(blocks, TileStore(tmp_path))
    assert counts == [] and all(torch.equal(again[key], want[key]) for key in want)


def test_progress_counts_every_pair_once() -> None:
    a, b = ellipsoids(8), ellipsoids(9, seed=1)
    seen: list[Progress] = []
    pair_matrices({0: Block("a x b", "exact", a, b, nearest=True)}, progress=seen.append)
    assert (seen[0].title, seen[0].done, seen[0].total) == ("estimate", 0, 72 + 72)
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert (seen[-1].title, seen[-1].done, seen[-1].seconds_left) == ("EMD: a x b", 144, 0.0)


def test_full_alone_has_what_needs_every_distance() -> None:
    samples, reference = ellipsoids(8), ellipsoids(9, seed=1)
    near, full = evaluate(samples, reference), evaluate(samples, reference, full=True)
    assert "precision_cd" in near.values and "precision_emd" not in near.values
    assert full.values["precision_emd"] > 0
    soft = evaluate(samples, reference, protocol="lion", distances=("emd",))
    assert "precision_emd" in soft.values


def search_on_a_rank(rank: int, ranks: int, folder: str) -> None:
    import torch.distributed as dist

    os.environ.update(MASTER_ADDR="127.0.0.1", RANK=str(rank), WORLD_SIZE=str(ranks))
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=ranks)
    a, b = ellipsoids(20), ellipsoids(22, seed=1)
    blocks = {"ab": Block("", "exact", a, b, nearest=True), "aa": Block("", "exact", a, a, nearest=True, below="ab")}
    # The first rank alone has what is left of an earlier search; the second must go on from there too.
    matrices = pair_matrices(blocks, TileStore(f"{folder}/kept" if rank == 0 else f"{folder}/empty"))
    torch.save(matrices, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


def test_ranks_match_their_share_and_go_on_from_what_the_first_has_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = ellipsoids(20), ellipsoids(22, seed=1)
    blocks = {"ab": Block("", "exact", a, b, nearest=True), "aa": Block("", "exact", a, a, nearest=True, below="ab")}
    monkeypatch.setattr(pairs, "_SAVE_SECONDS", -1.0)
    kept = TileStore(tmp_path / "kept")
    want = pair_matrices(blocks)
    puts, real = [], TileStore.put

    def dying(self: TileStore, kind: str, *rest: object) -> None:
        puts.append(kind)
        if puts.count("nearest exact") == 3:
            raise KeyboardInterrupt
        real(self, kind, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TileStore, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        pair_matrices(blocks, kept)
    torch.multiprocessing.spawn(search_on_a_rank, args=(2, str(tmp_path)), nprocs=2)
    for rank in range(2):
        got = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert all(torch.equal(got[key], want[key]) for key in want)


@pytest.mark.parametrize("full", [False, True])
def test_a_set_against_itself_is_right_with_finished_parts_and_without(full: bool, tmp_path: Path) -> None:
    a = ellipsoids(20, 32)
    plain = evaluate(a, a.clone(), second=a.clone(), full=full)
    for _ in range(2):  # the second time from what is on disk
        kept = evaluate(a, a.clone(), second=a.clone(), full=full, tiles=tmp_path)
        assert kept.to_json() == plain.to_json()
    assert plain.values["mmd_emd"] == 0 and plain.values["cov_emd"] == 1
