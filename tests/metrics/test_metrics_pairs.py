"""The pair matrix: tiles cover it once, a pair's value is its own, finished tiles are kept, ranks share the work."""

import os
from pathlib import Path

import pytest
import slow_metrics
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from pcgen.metrics import blocks, evaluate, pairs
from pcgen.metrics.blocks import Block, tiles
from pcgen.metrics.clock import Clock, Progress
from pcgen.metrics.distances import PairDistance
from pcgen.metrics.pairs import pair_matrices
from pcgen.metrics.store import TileStore, digests


def brute_chamfer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    distances = (a.double()[:, None, :, None] - b.double()[None, :, None]).square().sum(-1)  # (S, R, N, M)
    return distances.amin(3).mean(2) + distances.amin(2).mean(2)


@pytest.mark.parametrize(("rows", "columns", "side"), [(7, 5, 3), (1, 9, 4), (8, 8, 8), (3, 3, 100)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_tiles_cover_every_pair_once(rows: int, columns: int, side: int, symmetric: bool) -> None:
    if symmetric:
        columns = rows
    seen = torch.zeros(rows, columns, dtype=torch.int64)
    counted = 0
    for tile in tiles(rows, columns, side, symmetric):
        block = torch.ones_like(seen[tile.rows, tile.columns])
        seen[tile.rows, tile.columns] += block.triu(1) if tile.diagonal else block
        counted += tile.pairs
    want = torch.ones_like(seen)
    assert torch.equal(seen, want.triu(1) if symmetric else want)
    assert counted == int(seen.sum())


def test_matrices_equal_brute_force() -> None:
    a, b = torch.rand(70, 12, 3), torch.rand(5, 12, 3)  # more rows than the side of a tile
    blocks = {"ab": Block("a x b", "chamfer", a, b), "aa": Block("a x a", "chamfer", a, a)}
    matrices = pair_matrices(blocks)
    torch.testing.assert_close(matrices["ab"], brute_chamfer(a, b), rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(matrices["aa"], brute_chamfer(a, a), rtol=1e-5, atol=1e-9)
    assert torch.equal(matrices["aa"], matrices["aa"].T)
    assert matrices["aa"].diagonal().eq(0).all()


def test_a_soft_matching_is_not_symmetric_and_the_columns_cloud_gives() -> None:
    a, b = torch.rand(5, 9, 3), torch.rand(18, 9, 3)  # more columns than the side of a tile
    blocks = {"ab": Block("", "approxmatch", a, b), "bb": Block("", "approxmatch", b, b)}
    for name, matrix in pair_matrices(blocks).items():
        rows = a if name == "ab" else b
        want = [
            [slow_metrics.approxmatch(y, x, True, False) for y in b.double().numpy()] for x in rows.double().numpy()
        ]
        torch.testing.assert_close(matrix, torch.tensor(want, dtype=torch.float64), rtol=1e-3, atol=1e-3)  # float32
    assert not torch.allclose(matrix, matrix.T, rtol=1e-2, atol=1e-2)


def test_a_pair_is_a_function_of_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.rand(11, 33, 3), torch.rand(6, 33, 3)
    blocks = {"ab": Block("", "chamfer", a, b), "aa": Block("", "chamfer", a, a)}
    want = pair_matrices(blocks)
    monkeypatch.setattr("pcgen.metrics.blocks._SIDE", {"chamfer": 2})
    small = pair_matrices(blocks)
    assert all(torch.equal(small[key], want[key]) for key in want)
    alone = pair_matrices({"one": Block("", "chamfer", a[9:10].clone(), b[4:5].clone())})["one"]
    assert alone.item() == want["ab"][9, 4].item()


def test_symmetric_blocks_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counting(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        asked.append(len(a) * (len(a) - 1) // 2 if b is a else len(a) * len(b))
        return brute_chamfer(a, b)

    monkeypatch.setattr("pcgen.metrics.blocks.pair_distance", lambda name: PairDistance(name, counting))
    monkeypatch.setattr("pcgen.metrics.blocks._SIDE", {"chamfer": 3})
    a = torch.rand(8, 4, 3)
    pair_matrices({0: Block("", "chamfer", a, a)})
    assert sum(asked) == 8 * 7 // 2


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.rand(9, 16, 3), torch.rand(7, 16, 3)
    blocks = {"ab": Block("", "chamfer", a, b), "bb": Block("", "chamfer", b, b)}
    monkeypatch.setattr("pcgen.metrics.blocks._SIDE", {"chamfer": 3})
    want = pair_matrices(blocks)
    whole = len(list(tiles(9, 7, 3))) + len(list(tiles(7, 7, 3, symmetric=True)))

    measured = []
    real = pairs._measure

    def dying(*args: object) -> torch.Tensor:
        if len(measured) == 4:
            raise KeyboardInterrupt
        measured.append(args)
        return real(*args)

    monkeypatch.setattr(pairs, "_measure", dying)
    with pytest.raises(KeyboardInterrupt):
        pair_matrices(blocks, TileStore(tmp_path))
    assert len(list(tmp_path.iterdir())) == 4

    resumed: list[object] = []
    monkeypatch.setattr(pairs, "_measure", lambda *args: resumed.append(args) or real(*args))
    got = pair_matrices(blocks, TileStore(tmp_path))
    assert len(resumed) == whole - 4
    assert all(torch.equal(got[key], want[key]) for key in want)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".npz"] * whole


def test_a_stored_tile_is_of_its_clouds_alone(tmp_path: Path) -> None:
    a, b = torch.rand(3, 8, 3), torch.rand(4, 8, 3)
    store = TileStore(tmp_path)
    pair_matrices({0: Block("", "chamfer", a, b)}, store)
    moved = a.clone()
    moved[1, 2, 0] = torch.nextafter(moved[1, 2, 0], torch.tensor(2.0))
    for other in (moved, a.double(), a[[1, 0, 2]]):
        want = pair_matrices({0: Block("", "chamfer", other, b.to(other.dtype))})[0]
        assert torch.equal(pair_matrices({0: Block("", "chamfer", other, b.to(other.dtype))}, store)[0], want)
    assert len(list(tmp_path.iterdir())) == 4
    assert digests(a)[0] != digests(a.reshape(3, 4, 6))[0]


def test_a_damaged_tile_is_named(tmp_path: Path) -> None:
    a = torch.rand(3, 8, 3)
    pair_matrices({0: Block("", "chamfer", a, a)}, TileStore(tmp_path))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf"{file}: must be a tile of distances, but is damaged .*delete it"):
        pair_matrices({0: Block("", "chamfer", a, a)}, TileStore(tmp_path))
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{file}: must be a tile of distances, but is damaged"):
        pair_matrices({0: Block("", "chamfer", a, a)}, TileStore(tmp_path))
    with pytest.raises(ValueError, match="must be a folder for finished tiles, but is a file"):
        TileStore(file)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    a = torch.rand(3, 8, 3)
    with pytest.raises(OSError, match=rf"{tmp_path}/file/tiles: finished tiles cannot be written there"):
        pair_matrices({0: Block("", "chamfer", a, a)}, TileStore(tmp_path / "file" / "tiles"))


def test_the_time_left_is_guessed_then_learned() -> None:
    quick, slow = ("chamfer", 8, 8), ("exact", 8, 8)
    seen: list[Progress] = []
    clock = Clock({quick: 10, slow: 5}, lambda kind: 2.0 if kind == quick else 30.0, seen.append)
    clock.compute(quick, 4, 1.0)
    clock.finish(quick, 4, "quick")
    clock.finish(slow, 5, "slow")
    assert [(p.done, p.total, p.seconds_left) for p in seen] == [
        (0, 15, 170.0),
        (4, 15, 6 * 0.25 + 150.0),
        (9, 15, 1.5),
    ]


def test_the_time_of_a_search_is_that_of_the_pairs_that_will_be_needed() -> None:
    kind = ("nearest", 8, 8)
    seen: list[Progress] = []
    clock = Clock({kind: 20000}, lambda kind: 1.0, seen.append)
    assert seen[-1].seconds_left == 20000 / 4  # as usual
    clock.begin_search(10000)
    clock.compute(kind, 200, 200.0)
    clock.finish(kind, 6000, "most are ruled out at once")
    assert seen[-1].seconds_left == (2500 - 200) + 2500  # of this search, and of another to come
    clock.compute(kind, 800, 800.0)
    clock.finish(kind, 4000, "done")
    needed = (250 + 1000) / (1000 + 10000)  # few were needed: that is what is expected of the other
    assert seen[-1].seconds_left == pytest.approx(10000 * needed)
    clock.begin_search(10000)
    clock.finish(kind, 9990, "nearly all")
    assert seen[-1].seconds_left == 10


def test_progress_begins_with_an_estimate_and_ends_with_all() -> None:
    a, b = torch.rand(9, 8, 3), torch.rand(4, 8, 3)
    seen: list[Progress] = []
    pair_matrices({0: Block("a x b", "chamfer", a, b), 1: Block("a x a", "chamfer", a, a)}, progress=seen.append)
    assert (seen[0].title, seen[0].done, seen[0].total) == ("estimate", 0, 36 + 36)
    assert seen[0].seconds_left > 0
    assert [event.done for event in seen[1:]] == [36, 72]
    assert (seen[-1].title, seen[-1].seconds_left) == ("CD: a x a", 0.0)


def test_progress_does_not_count_what_is_stored(tmp_path: Path) -> None:
    """Of one table's next model, most matrices are those of the model before."""
    a, b, c = torch.rand(9, 8, 3), torch.rand(4, 8, 3), torch.rand(5, 8, 3)

    def blocks(samples: torch.Tensor) -> dict[object, Block]:
        known = {"cd": Block("a x b", "chamfer", a, b), "emd": Block("a x b", "exact", a, b, nearest=True)}
        known["within"] = Block("a x a", "exact", a, a, nearest=True, below="emd")
        return {**known, "new": Block("new", "exact", samples, b, nearest=True)} if samples is c else known

    store, seen = TileStore(tmp_path), list[Progress]()
    first = pair_matrices(blocks(a), store)
    second = pair_matrices(blocks(a), store, seen.append)
    assert list(second) == list(first) and all(torch.equal(first[key], second[key]) for key in first)
    assert [(event.done, event.total, event.seconds_left) for event in seen] == [(0, 0, 0.0)]
    seen.clear()
    pair_matrices(blocks(c), store, seen.append)
    assert seen[0].total == 2 * len(c) * len(b)  # bounds, and distances
    assert seen[-1].done == seen[-1].total


def _rank(rank: int, ranks: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", RANK=str(rank), WORLD_SIZE=str(ranks))
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=ranks)
    blocks._SIDE["chamfer"] = 3
    a, b = torch.load(f"{folder}/clouds.pt", weights_only=True)
    matrices = pair_matrices(
        {0: Block("", "chamfer", a, b), 1: Block("", "chamfer", a, a)}, TileStore(f"{folder}/{rank}")
    )
    torch.save(list(matrices.values()), f"{folder}/rank{rank}.pt")
    Path(f"{folder}/rank{rank}.json").write_text(evaluate(a, b, a + 0.1, distances=("cd",)).to_json())
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_ranks_share_the_tiles_and_have_the_same_bits(tmp_path: Path) -> None:
    a, b = torch.rand(7, 16, 3), torch.rand(5, 16, 3)
    torch.save((a, b), tmp_path / "clouds.pt")
    mp.spawn(_rank, args=(2, str(tmp_path)), nprocs=2)
    want = list(pair_matrices({0: Block("", "chamfer", a, b), 1: Block("", "chamfer", a, a)}).values())
    for rank in range(2):
        got = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert all(torch.equal(x, y) for x, y in zip(got, want, strict=True))
        report = (tmp_path / f"rank{rank}.json").read_text()
        assert report == evaluate(a, b, a + 0.1, distances=("cd",)).to_json()
    done = [{file.name for file in (tmp_path / str(rank)).iterdir()} for rank in range(2)]
    assert len(done[0]) == 6 and len(done[1]) == 6 and not done[0] & done[1]
