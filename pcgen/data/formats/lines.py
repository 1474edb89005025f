"""Text files as lines of words and numbers: encodings, line ends and errors in numbers, for all text formats."""

import codecs
import io
from collections.abc import Iterator, Sequence

__all__ = [
    "floats",
    "is_number",
    "line_end",
    "lines",
    "rest_of",
    "shown",
    "split_lines",
    "text_of",
    "unmarked",
    "whole",
    "wholes",
]

# The little-endian mark of UTF-32 begins with that of UTF-16, so it must be first.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_WIDEST = 2**63  # the first integer beyond int64


def unmarked(data: bytes) -> bytes:
    """A file without UTF-8's byte order mark, which some editors write.

    Raises:
        ValueError: it has the mark of UTF-16 or UTF-32.
    """
    for mark, name in _OTHER_MARKS.items():
        if data.startswith(mark):
            raise ValueError(f"is {name} text; save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


def text_of(data: bytes) -> bytes:
    """A text file without its byte order mark.

    Raises:
        ValueError: it is UTF-16 or UTF-32, with or without a mark, or not text.
    """
    data = unmarked(data)
    if (zero := data.find(b"\0")) >= 0:
        raise ValueError(f"has a zero byte at offset {zero}, so it is UTF-16 or not text; save it as UTF-8 text")
    return data


def rest_of(count: int, what: str) -> tuple[str, ...]:
    """A note on what a file has after all that its header declares, if there is anything."""
    return (f"{count} {what} after all that the header declares left out",) if count else ()


def line_end(data: bytes) -> bytes:
    r"""The line end of a file: \r if its first line ends with \r alone; otherwise \n, possibly after \r."""
    first = data.find(b"\r")
    alone = first >= 0 and data[first + 1 : first + 2] != b"\n" and b"\n" not in data[:first]
    return b"\r" if alone else b"\n"


def split_lines(data: bytes) -> Iterator[bytes]:
    r"""As `data.splitlines()`, one line at a time: all lines of a large file would be several times its size.

    >>> list(split_lines(b"a\r\nb\rc\n\nd"))
    [b'a', b'b', b'c', b'', b'd']
    """
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    for part in io.BytesIO(data):
        yield from part.splitlines()


def lines(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    r"""Number, from 1, and words of each line that is not empty; # starts a comment; \n, \r\n or \r ends a line."""
    for number, line in enumerate(split_lines(data), start=1):
        if words := line.partition(b"#")[0].split():
            yield number, words


def floats(words: Sequence[bytes], line: int) -> list[float]:
    """The numbers from the words of a line; NaN and infinity are allowed.

    Raises:
        ValueError: a word is not a number, for example because of a decimal comma.
    """
    try:
        # Python accepts 1_000 as a number, but no program writes it.
        if b"_" not in b" ".join(words):
            return list(map(float, words))
    except ValueError:
        pass
    wrong = next(word for word in words if not is_number(word))
    hint = "; write decimal points, not commas" if b"," in wrong else ""
    raise ValueError(f"line {line}: {shown(wrong)} is not a number{hint}")


def is_number(word: bytes) -> bool:
    """Whether `floats` reads a word."""
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word


def wholes(words: Sequence[bytes], line: int) -> list[int]:
    """The integers from the words of a line.

    Raises:
        ValueError: a word is not an integer, or one beyond int64.
    """
    try:
        values = list(map(int, words))
        if b"_" not in b" ".join(words) and (not values or (min(values) >= -_WIDEST and max(values) < _WIDEST)):
            return values
    except ValueError:
        pass
    wrong = next(word for word in words if not _is_whole(word))
    raise ValueError(f"line {line}: {shown(wrong)} is not a 64-bit integer")


def _is_whole(word: bytes) -> bool:
    try:
        value = int(word)
    except ValueError:
        return False
    return b"_" not in word and -_WIDEST <= value < _WIDEST


def whole(word: bytes, line: int) -> int:
    """The integer from a word of a line; errors are those of `wholes`."""
    return wholes([word], line)[0]


def shown(text: bytes) -> str:
    """The beginning of a text, for messages."""
    return repr(text[:60].decode("utf-8", errors="replace")) + ("..." if len(text) > 60 else "")
