"""The forms of JSON that comes from elsewhere: read strictly, and a reason where it has another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")


class Form(BaseModel):
    """Fields by name; what another version adds is left out."""

    model_config = ConfigDict(frozen=True)


class NotOfForm(Exception):
    """The text is the reason, with the place in the JSON."""


def read(text: str, form: TypeAdapter[T]) -> T:
    """What a JSON text holds. Raises NotOfForm."""
    try:
        return form.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise NotOfForm((f"at `{place[:80]}`: " if place else "") + first["msg"].lower()) from None


def _numbers(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError("not numbers")
    return value


def _learned(value: Any) -> Any:
    texts = value if isinstance(value, list) else [value]
    return value if all(isinstance(text, str) for text in texts) else _numbers(value)


def _plain_name(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError("not the name of a file in the same folder")
    return name


def is_plain_name(name: str) -> bool:
    """Whether it names a file in a folder, and nothing outside."""
    return bool(name) and name == Path(name).name and "\\" not in name and "\0" not in name


#: A number, or lists of equal length of them.
Numbers = Annotated[Any, AfterValidator(_numbers)]
#: The same, a text, or texts.
Learned = Annotated[Any, AfterValidator(_learned)]
PlainName = Annotated[str, AfterValidator(_plain_name)]
