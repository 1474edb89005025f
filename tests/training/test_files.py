"""Files are whole or not at all, whatever happens while they are written; damaged ones are told by their path."""

import errno
import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import start

from pcgen import files
from pcgen.files import pack, read_tensors, unpack, write_tensors, write_whole


def killed_while_writing(path: str, moment: str) -> None:
    real = {"write": os.fsync, "replace": os.replace, "folder": os.fsync}

    def die(*arguments: object) -> None:
        if moment == "folder" and arguments and not os.path.isdir(f"/proc/self/fd/{arguments[0]}"):
            real["folder"](arguments[0])
            return
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, "replace" if moment == "replace" else "fsync", die)
    write_whole(Path(path), b"new" * 1000)


@pytest.mark.parametrize(
    ("moment", "left"), [("write", b"old" * 1000), ("replace", b"old" * 1000), ("folder", b"new" * 1000)]
)
def test_killed_while_saving_leaves_the_old_file_or_the_new_one(tmp_path: Path, moment: str, left: bytes) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old" * 1000)
    process = start(killed_while_writing, str(path), moment)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_bytes() == left
    write_whole(path, b"next")  # What the killed process left does not stand in the way.
    assert path.read_bytes() == b"next"
    assert os.listdir(tmp_path) == ["file"]


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_tensors(path, {"x": torch.zeros(10)}, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # The kernel stops the write in its middle.
    try:
        with pytest.raises(OSError, match=r"last\.safetensors: could not .*the old file is unchanged"):
            write_tensors(path, {"x": torch.zeros(10_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_tensors(path)[1] == {"step": 1}
    assert os.listdir(tmp_path) == ["last.safetensors"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_write_that_is_refused_is_told_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(OSError, match=rf"^{tmp_path}/new: could not be written \({os.strerror(code)}\); nothing was"):
        write_whole(tmp_path / "new", b"new")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_absent_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="could not be written"):
        write_whole(tmp_path / "absent" / "file", b"")


def test_nested_states_come_back_as_they_were(tmp_path: Path) -> None:
    parameters = [torch.nn.Parameter(torch.randn(3)), torch.nn.Parameter(torch.randn(2, 2))]
    states = []
    for kind in (torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS):
        optimizer = kind(parameters, lr=0.1)

        def closure() -> torch.Tensor:
            loss = sum(p.square().sum() for p in parameters)
            loss.backward()
            return loss

        optimizer.step(closure)
        states.append(optimizer.state_dict())
    states.append({"nothing": None, "tuple": (1, 2.5, [True, "text"]), "inf": float("inf"), 3: torch.tensor(1)})
    tensors: dict[str, torch.Tensor] = {}
    about = pack(states, "state", tensors)
    write_tensors(tmp_path / "file", tensors, {"packed": about})
    tensors, about = read_tensors(tmp_path / "file")
    assert str(unpack(about["packed"], tensors)) == str(states)


def test_pack_refuses_what_would_need_pickle() -> None:
    with pytest.raises(ValueError, match=r"state\.group\.0: cannot be saved"):
        pack({"group": [object()]}, "state", {})


def test_shared_and_strided_tensors_are_written_by_value(tmp_path: Path) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    tensors = {"x": x, "again": x, "transposed": x.T, "column": x[:, 1], "none": x[:0], "flags": x > 3}
    write_tensors(tmp_path / "file", tensors, {})
    read, _ = read_tensors(tmp_path / "file")
    for name, value in tensors.items():
        assert torch.equal(read[name], value), name
        assert read[name].dtype == value.dtype


def test_equal_contents_are_equal_files(tmp_path: Path) -> None:
    x, y = torch.randn(5), torch.randn(2)
    write_tensors(tmp_path / "one", {"x": x, "y": y}, {"a": 1, "b": 2})
    write_tensors(tmp_path / "two", {"y": y, "x": x}, {"b": 2, "a": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("size", [4, 4000])
def test_a_file_that_is_replaced_while_it_is_read_is_read_as_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path, replaced = tmp_path / "file", list[bool]()
    write_tensors(path, {"x": torch.zeros(4)}, {"step": 1})

    def replacing(read: Any) -> Any:
        def first_replace(*arguments: Any, **options: Any) -> Any:
            if not replaced:
                replaced.append(True)
                write_tensors(path, {"x": torch.ones(size)}, {"step": 2})
            return read(*arguments, **options)

        return first_replace

    # Both stand where a reader is between header and numbers: a header is JSON, and a library may map the numbers.
    monkeypatch.setattr(json, "loads", replacing(json.loads))
    monkeypatch.setattr(torch.UntypedStorage, "from_file", staticmethod(replacing(torch.UntypedStorage.from_file)))
    tensors, about = read_tensors(path)
    assert replaced
    assert about == {"step": 1}
    assert torch.equal(tensors["x"], torch.zeros(4))


def damaged() -> dict[str, bytes]:
    from safetensors.torch import save

    whole = save({"x": torch.zeros(100)}, {"pcgen": "{}"})
    return {
        "empty": b"",
        "truncated": whole[:-7],
        "longer": whole + b"0" * 64,
        "header cut": whole[:20],
        "huge header": (2**60).to_bytes(8, "little") + whole[8:],
        "not JSON": whole[:8] + b"x" * 20 + whole[28:],
        "metadata not JSON": save({"x": torch.zeros(1)}, {"pcgen": "{"}),
        "another program's": save({"x": torch.zeros(1)}),
        "pickle": b"\x80\x04\x95" + b"0" * 200,
    }


@pytest.mark.parametrize("kind", list(damaged()))
def test_a_damaged_file_is_told_by_its_path(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes(damaged()[kind])
    with pytest.raises(ValueError, match=rf"^{path}: "):
        read_tensors(path)


def test_an_absent_file_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent: no such file"):
        read_tensors(tmp_path / "absent")
