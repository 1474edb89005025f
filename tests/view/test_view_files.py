"""PNG files that cannot be written."""

from pathlib import Path

import pytest

from pcgen.view.files import write


def test_a_picture_that_cannot_be_written_is_told_by_its_own_name_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OSError, match=rf"^{tmp_path}/taken\.png: could not be written \(Is a directory\); .*; free"):
        write(tmp_path / "taken.png", b"picture")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/new\.png: could not be written \(.*\); choose another folder"):
        write(tmp_path / "file" / "new.png", b"picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.png"]
