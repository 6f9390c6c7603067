"""What is wrong with tar files of records: each names the file and the member and how to fix it."""

from __future__ import annotations

from ...compiler.messages.diagnostics import Diagnostic, Failed
from ...compiler.messages.source import Span


def _fail(message: str, span: Span, *, help: str) -> Failed:
    return Failed(Diagnostic("E0412", message, span, "", (), (), (help,)))


def backwards(span: Span, name: str) -> Failed:
    return _fail(
        f"`{name}` names no file: its range ends before it begins", span, help="write the smaller number first"
    )


def not_a_file(span: Span, at: str, kind: str) -> Failed:
    return _fail(f"{at} is {kind}, not a file", span, help="write the tar file again with plain files only")


def outside(span: Span, at: str) -> Failed:
    help = "write the tar file again with relative names"
    return _fail(f"{at} has a path that leads out of the tar file", span, help=help)


def twice(span: Span, at: str) -> Failed:
    return _fail(f"{at} is there twice in a record", span, help="give each record a name of its own")


def two_images(span: Span, at: str) -> Failed:
    return _fail(f"{at} has two images", span, help="keep one image per record")


def no_image(span: Span, at: str) -> Failed:
    help = "give each record an image, with the name of its other members up to the first dot and next to them"
    return _fail(f"{at} has no image, but other records have one", span, help=help)


def not_a_text(span: Span, at: str) -> Failed:
    return _fail(f"{at} is not UTF-8", span, help="save it as UTF-8")


def not_json(span: Span, at: str, why: str) -> Failed:
    return _fail(f"{at} is not JSON with fields: {why}", span, help='write an object, as `{"label": "cat"}`')
