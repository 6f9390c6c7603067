"""The data sets that need no download, as a source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ....compiler.catalogue.builtin import BUILTIN
from ....compiler.messages.source import Span
from .. import mistakes
from ..builtin import LOADERS
from ..table import Column
from .split_files import Part, Resolve


@cache
def loaded(name: str) -> Mapping[str, Column]:
    """The columns of a set, read once in a process: descriptions are found by parsing some thousand files."""
    return LOADERS[name]()


def builtin(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    name = args["name"]
    try:
        columns = dict(loaded(name))
    except ModuleNotFoundError as error:
        extra, package = BUILTIN[name].extra, (error.name or "a package").partition(".")[0]
        raise mistakes.extra_missing(span, f'the data set "{name}"', extra, package) from None
    return columns, len(next(iter(columns.values()))), lambda record: f"{name} record {record}", []
