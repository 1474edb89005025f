"""Damage small files of every format at random and read them: each must give clouds, or one line that names the file.

    python scripts/fuzz_readers.py --files 20000 --seed 0
    python scripts/fuzz_readers.py --seed 0 --first 1234 --files 1 --keep folder   # one file again, kept in the folder

Any other exception, a warning, a crash, more than --seconds for a file, more than --memory MiB beyond what the process
had, or clouds that hold NaN, is a failure: its index and what happened are printed, and the exit status is 1. A reader
may take 1 MiB (max_bytes) for the arrays of a file here.
"""

import argparse
import random
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from reader_seeds import SEEDS

from pcgen.data import load

MAX_BYTES = 2**20  # what the readers may take for one file's arrays
NUMBERS = [*range(-1, 8), *(2**bits - less for bits in (7, 8, 15, 16, 24, 31, 32, 63, 64) for less in (0, 1)), 10**30]
WORDS = [*rb"nan inf -1 1e400 1_0 0,5 99999999999999999999 1e # \ [] {} null list x".split(), b"\xff", b"\r", b" "]
WORDS += [b"\xef\xbb\xbf", b"\0"]


def mutate(data: bytes, draw: random.Random) -> bytes:
    """A file with one to four faults: bits, bytes, numbers, words and blocks that are wrong, missing or there twice."""
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        if not data:
            return data
        at = draw.randrange(len(data))
        block = data[at : at + draw.choice([1, 2, 4, 8, 32, 128])]
        number = draw.choice(NUMBERS)
        match draw.randrange(9):
            case 0:
                data = data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
            case 1:
                data = data[:at] + draw.randbytes(len(block)) + data[at + len(block) :]
            case 2:
                data = data[:at]
            case 3:
                data = data[:at] + data[at + len(block) :]
            case 4:
                data = data[:at] + block * draw.randint(2, 5) + data[at + len(block) :]
            case 5:
                size = draw.choice([1, 2, 4, 8])
                raw = (number % 256**size).to_bytes(size, draw.choice(["little", "big"]))
                data = data[:at] + raw + data[at + size :]
            case 6 | 7:  # a number of text
                found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:4096]))
                if found:
                    one = draw.choice(found)
                    word = draw.choice([str(number).encode(), draw.choice(WORDS), one[0] + b"." + b"1" * 40 + b"e-5"])
                    data = data[: one.start()] + word + data[one.end() :]
            case _:
                data = data[:at] + draw.choice(WORDS) + data[at:]
    return data


def damaged(seed: int, index: int) -> tuple[str, bytes]:
    """The ending and the bytes of one file of a run, whichever others are made."""
    draw = random.Random(f"{seed}/{index}")
    ending, data, finish = SEEDS[index % len(SEEDS)]
    return ending, finish(mutate(data, draw))


class TooSlow(BaseException):
    """Raised by the alarm; no `except Exception` may take it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak() -> float:
    """The most memory that this process had since `forget_peak`, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def forget_peak() -> None:
    """Begin the measure of the peak anew (Linux alone)."""
    Path("/proc/self/clear_refs").write_text("5")


def read(path: Path, seconds: float, memory: float) -> tuple[bool, str | None]:
    """Whether a file gave clouds, and what reading it did that it must not."""
    forget_peak()
    before = peak()
    whole, fault = False, None
    try:
        with limited(seconds):
            clouds = load(str(path), surface_points=16, max_bytes=MAX_BYTES)
        whole = True
        if not torch.isfinite(clouds.points).all():
            fault = "clouds hold NaN or infinity"
    except (ValueError, OSError) as error:
        text = str(error)
        if type(error) not in (ValueError, OSError):
            fault = f"{type(error).__name__}: {text}"
        elif not text.startswith(f"{path}: ") or len(text.splitlines()) != 1 or len(text) > 700:
            fault = f"is not a line that names the file: {text!r}"
    except TooSlow:
        fault = f"took more than {seconds} s"
    except Exception as error:  # what this script is to find
        fault = f"{type(error).__name__}: {error}"
    if (more := peak() - before) > memory:
        fault = f"took {more:.0f} MiB"
    return whole, fault


@dataclass
class Summary:
    """How a run went."""

    whole: int = 0  # files that gave clouds
    refused: int = 0
    failures: dict[int, str] = field(default_factory=dict)  # what happened, by index


def work(seed: int, indices: range, seconds: float, memory: float, tell: Connection) -> None:
    """Damage and read files in this process, and tell of each whether it gave clouds and what was wrong."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        for ending, data, finish in SEEDS:  # also loads what the readers import, which is not any file's memory
            path = Path(folder, f"whole{ending}")
            path.write_bytes(finish(data))
            if read(path, 60.0, 4096.0) != (True, None):
                raise SystemExit(f"{path}: a file without damage is not read; mend that first")
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, size + 2**30))
        warnings.simplefilter("error")
        tell.send(None)
        for index in indices:
            ending, data = damaged(seed, index)
            path = Path(folder, f"a{ending}")
            path.write_bytes(data)
            tell.send(read(path, seconds, memory))


def fuzz(seed: int, indices: range, seconds: float = 5.0, memory: float = 64.0) -> Summary:
    """Damage and read the files of a run in another process, which is begun anew after a file that hangs or ends it."""
    done = Summary()
    process = get_context("spawn")
    while indices:
        told, tell = process.Pipe(duplex=False)
        worker = process.Process(target=work, args=(seed, indices, seconds, memory, tell), daemon=True)
        worker.start()
        tell.close()
        try:
            try:
                begun = told.poll(120.0) and told.recv() is None
            except EOFError:
                begun = False
            if not begun:
                raise SystemExit(
                    f"the process that reads files ended, or did not begin in two minutes, before file {indices[0]}; "
                    f"failures until then: {done.failures}"
                )
            while indices:
                index, indices = indices[0], indices[1:]
                if not told.poll(2 * seconds):  # within a library that no alarm interrupts
                    done.failures[index] = f"did not end in {2 * seconds} s"
                    break
                try:
                    whole, fault = told.recv()
                except EOFError:
                    done.failures[index] = "ended the process"
                    break
                done.whole += whole
                done.refused += not whole
                if fault is not None:
                    done.failures[index] = fault
        finally:
            worker.kill()
            worker.join()
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20000, help="how many files are damaged and read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the index of the first file")
    parser.add_argument("--seconds", type=float, default=5.0, help="the most that one file may take")
    parser.add_argument("--memory", type=float, default=64.0, help="the most MiB that one file may take")
    parser.add_argument("--keep", type=Path, help="a folder for the files that fail")
    asked = parser.parse_args()
    start = time.monotonic()
    done = fuzz(asked.seed, range(asked.first, asked.first + asked.files), asked.seconds, asked.memory)
    taken = time.monotonic() - start
    for index, fault in done.failures.items():
        ending, data = damaged(asked.seed, index)
        print(f"seed {asked.seed}, file {index}, {ending}: {fault}")
        if asked.keep is not None:
            asked.keep.mkdir(parents=True, exist_ok=True)
            (asked.keep / f"{asked.seed}-{index}{ending}").write_bytes(data)
    print(
        f"{asked.files} files in {taken:.0f} s ({asked.files / taken:.0f} a second): {done.whole} gave clouds, "
        f"{done.refused} were refused; {len(done.failures)} failures"
    )
    sys.exit(bool(done.failures))


if __name__ == "__main__":
    main()
