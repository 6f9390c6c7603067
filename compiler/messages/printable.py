"""Text from elsewhere as it may be printed: no character that moves a cursor, changes a terminal or turns the reading direction."""

from __future__ import annotations

import re
import unicodedata

#: What joins or separates letters in scripts and emoji; it moves nothing.
_JOINERS = "\u200c\u200d"
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")


def printable(text: str) -> str:
    """The text with control characters (but line ends and tabs), bidirectional controls and other invisible format characters
    as escapes: `\\x1b`, `\\u202e`. A byte of a file name that is not UTF-8 is `\\xff`."""
    return text if text.isascii() and text.isprintable() else _SUSPECT.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same for what belongs in one line, such as a name: line ends and tabs are escapes too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) in ("Zs", "Mn", "Me"):
        return character
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
