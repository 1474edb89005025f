"""Whether a window can be opened here: asked before Open3D, which waits for ever on a display that does not answer."""

import os
import socket
import subprocess
import sys
from pathlib import Path

__all__ = ["name", "obstacle"]

# Xlib may wait for minutes for a display on another machine, and ends the process on some errors.
_PROBE = """
import ctypes, sys
opened = ctypes.CDLL("libX11.so.6").XOpenDisplay
opened.restype = ctypes.c_void_p
sys.exit(0 if opened(None) else 3)
"""
_REFUSED = 3


def name() -> str:
    """The display that windows would open on; "" where there is none, and on systems that always have one."""
    return os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or ""


def obstacle(timeout: float = 10.0) -> str:
    """Why no window can be opened, in one line; "" where nothing is in the way.

    Args:
        timeout: seconds that a display has to answer.
    """
    if not sys.platform.startswith("linux") or _wayland_answers(timeout):
        return ""
    if not name():
        return "there is no display (DISPLAY is not set)"
    display = os.environ.get("DISPLAY")
    if not display:
        return f"the Wayland display {name()} does not answer (WAYLAND_DISPLAY)"
    try:
        probe = subprocess.run(
            [sys.executable, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the display {display} does not answer within {timeout:g} s (DISPLAY)"
    if probe.returncode == _REFUSED:
        return f"the display {display} cannot be opened (DISPLAY)"
    return (probe.stderr.strip().splitlines() or ["libX11 failed"])[-1] if probe.returncode else ""


def _wayland_answers(timeout: float) -> bool:
    display = os.environ.get("WAYLAND_DISPLAY")
    if not display:
        return False
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/"), display)  # an absolute WAYLAND_DISPLAY is taken as it is
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
    except OSError:
        return False
    return True
