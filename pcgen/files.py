"""Atomic writing of files, and nested values as safetensors files, which can be read without executing code."""

import errno
import itertools
import json
import os
import platform
import shutil
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pack", "read_tensors", "temporary_beside", "unpack", "write_tensors", "write_whole"]

_WRITES = itertools.count()
_LEFT = 3600  # seconds after which what a process left that cannot be asked after is deleted
# What opening or syncing a folder raises where that is not allowed, or is nothing that the file system does.
_NOT_SYNCED = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF)
_KEY = "pcgen"  # A single key: safetensors writes several in arbitrary order, but equal states must give equal files.


def write_whole(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Replace the file at `path` by `data` atomically: after a crash at any time it is the old or the new file.

    `data` is the new contents, or a function that writes them to an open file.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is unchanged, and no other file remains.
            Or the new file was written, and the disk failed to keep its entry in the folder.
    """
    temporary = temporary_beside(path)
    try:
        try:
            with open(temporary, "wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        kept = "the old file is unchanged" if path.exists() else "nothing was written"
        raise OSError(
            f"{path}: could not be written ({error.strerror or error}); {kept}; "
            "free some space or choose another folder"
        ) from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            f"{path}: was written, but its folder could not be synced ({error.strerror or error}): after a power cut "
            "the old file may be there; check the disk"
        ) from error


def temporary_beside(path: Path) -> Path:
    """A path in the folder of `path` that no other writer uses, for a file or folder that will be renamed to `path`.

    What processes of this machine left at such paths before they ended is deleted: at once if they ran under this
    system, which knows that they ended; otherwise, as after a restart or in another container, an hour after its last
    change.
    """
    begin = f".{path.name}.{_mark(platform.node())}-"
    system = _mark(_system())
    with suppress(OSError):  # a folder that cannot be read is reported by the writing
        for name in os.listdir(path.parent):
            where, _, rest = name.removeprefix(begin).partition("-")
            writer = rest.partition("-")[0]
            if name.startswith(begin) and name.endswith(".tmp") and writer.isdecimal():
                left = path.with_name(name)
                ended = not _runs(int(writer)) if where == system else left.stat().st_mtime < time.time() - _LEFT
                if ended:
                    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f"{begin}{system}-{os.getpid()}-{next(_WRITES)}.tmp")


def _mark(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _system() -> str:
    """What tells apart those whose processes have numbers of their own: starts of a machine, and containers in it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""  # not Linux: containers are machines of their own there


def _runs(process: int) -> bool:
    """Whether there is such a process; on Windows, where asking would end it, always true."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user, for example
        return True
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders.
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise


def write_tensors(path: Path, tensors: "dict[str, Tensor]", about: dict[str, Any]) -> None:
    """Write tensors and JSON values to one safetensors file, atomically; equal contents give equal bytes."""
    import safetensors.torch

    own: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().to("cpu").contiguous()
        # The format does not support shared memory: tied weights are written once per name.
        value = value.clone() if value.untyped_storage().data_ptr() in seen else value
        seen.add(value.untyped_storage().data_ptr())
        own[name] = value
    write_whole(path, safetensors.torch.save(own, {_KEY: json.dumps(about, sort_keys=True)}))


def read_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Read a file that `write_tensors` wrote, also while a training replaces it: the result is one complete version.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, too long, or was not written by pcgen.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    # The library's `safe_open` opens the path twice, for the header and for the numbers, and the file may be replaced
    # between the two. One reading of all bytes gives one version.
    data = path.read_bytes()
    try:
        loaded = load(data)
        about = json.loads(_metadata(data)[_KEY])
    except KeyError:
        raise ValueError(f"{path}: a safetensors file, but not one that pcgen wrote") from None
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError, RuntimeError) as error:
        raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from error
    # Cloned into memory that torch aligns, one after another, so that not all of them are in memory twice.
    return {name: loaded.pop(name).clone() for name in list(loaded)}, about


def _metadata(data: bytes) -> dict[str, str]:
    """The metadata in the header of a valid safetensors file: JSON, after 8 bytes with its length."""
    end = 8 + int.from_bytes(data[:8], "little")
    values: dict[str, str] = json.loads(data[8:end]).get("__metadata__") or {}
    return values


def pack(value: Any, name: str, tensors: "dict[str, Tensor]") -> Any:
    """Convert nested dicts, lists and tuples to JSON values; tensors become entries of `tensors` with dotted names.

    Raises:
        ValueError: a value is neither a container, a tensor, a number, text nor None.
    """
    from torch import Tensor  # Imported only here, since pictures are written without torch.

    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, pack(item, f"{name}.{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{name}: cannot be saved: must be a tensor, number, text or a container of them, got {type(value)}"
    )


def unpack(value: Any, tensors: "dict[str, Tensor]") -> Any:
    """The inverse of `pack`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in content}
    items = [unpack(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)
