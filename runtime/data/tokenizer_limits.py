"""What a tokenizer from elsewhere may ask of the library `tokenizers`, which ends the process where its memory or its stack is used up."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

LONGEST = 1024  # characters of a token: a trie of tokens is as deep
LARGEST = 1 << 24  # of the number of a token: a vocabulary is written number by number
DEEPEST = 100  # objects in objects


def wrong(text: str) -> str | None:
    """What a `tokenizer.json` asks too much of; None where nothing, or where it is not JSON, which the library reports."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except _Twice as error:
        return str(error)
    except (ValueError, RecursionError):
        return None
    for name, number in _tokens(found):
        why = wrong_token(name, number)
        if why is not None:
            return why
    return next((why for table in _tables(found, DEEPEST) if (why := wrong_table(table)) is not None), None)


def wrong_token(name: Any, number: Any = 0) -> str | None:
    if isinstance(name, str) and len(name) > LONGEST:
        return f"the token `{name[:16]}..` has {len(name):,} characters; at most {LONGEST:,} are read"
    if isinstance(number, int) and number > LARGEST:
        return f"the token `{name}` has the number {number:,}; at most {LARGEST:,} is read"
    return None


def wrong_table(content: bytes) -> str | None:
    """Of a normalizer's table of characters: the size of its first part in four bytes, then the parts."""
    size = int.from_bytes(content[:4], "little")
    return "its table of characters is damaged" if len(content) < 4 or size > len(content) - 4 else None


class _Twice(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; with a name given twice, readers differ about what it holds."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice("a name of an object is given twice")
    return found


def _tokens(found: Any) -> Iterator[tuple[Any, Any]]:
    """Names and numbers of the tokens of a model, and those that are added to it."""
    match found:
        case {"model": {"vocab": {**numbers}}}:
            yield from numbers.items()
        case {"model": {"vocab": [*pairs]}}:
            yield from ((pair[0], 0) for pair in pairs if isinstance(pair, list) and pair)
        case _:
            pass
    match found:
        case {"added_tokens": [*added]}:
            yield from ((token.get("content"), token.get("id")) for token in added if isinstance(token, dict))
        case _:
            pass


def _tables(found: Any, depth: int) -> Iterator[bytes]:
    """The tables of all normalizers, which may be in one another."""
    match found:
        case {"precompiled_charsmap": str(text)}:
            try:
                yield base64.b64decode(text)
            except (binascii.Error, ValueError):
                yield b""
        case {"normalizer": inner} if depth:
            yield from _tables(inner, depth - 1)
        case {"normalizers": [*inner]} if depth:
            for item in inner:
                yield from _tables(item, depth - 1)
        case _:
            pass
