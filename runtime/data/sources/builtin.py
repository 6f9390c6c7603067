"""The data sets that need no download, as a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....compiler.catalogue.builtin import BUILTIN
from ....compiler.messages.source import Span
from .. import mistakes
from ..builtin import LOADERS
from .split_files import Part, Resolve


def builtin(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    name = args["name"]
    try:
        columns = LOADERS[name]()
    except ModuleNotFoundError as error:
        extra, package = BUILTIN[name].extra, (error.name or "a package").partition(".")[0]
        raise mistakes.extra_missing(span, f'the data set "{name}"', extra, package) from None
    return columns, len(next(iter(columns.values()))), lambda record: f"{name} record {record}", []
