"""The statements of a constructor that make a tree of layers: one attribute after the other, in the tree's order."""

from __future__ import annotations

from dataclasses import replace

from .lines import Line
from .python import quoted
from .shared_tables import Given
from .slots import Slot
from .stages import LAYERS, collected, has_optional


def dict_items(slot: Slot) -> tuple[list[str], list[tuple[str, Slot]]]:
    """Children that are arguments of the constructor of an `nn.ModuleDict`, and those that are added after it."""
    filled: list[str] = []
    later: list[tuple[str, Slot]] = []
    for name, child in slot.children.items():
        text = _text(child)
        if text is None:
            later.append((name, child))
        else:
            filled.append(f"{quoted(name)}: {text}")
    return filled, later


def _text(slot: Slot) -> str | None:
    """A slot as one expression; None for a container that is filled by statements."""
    match slot.kind:
        case "leaf":
            return None if slot.buffer else slot.text
        case "sequential":
            return None if has_optional(slot.entries) else f"nn.Sequential({', '.join(slot.entries)})"
        case "list":
            if len(slot.entries) == 1 and slot.entries[0].startswith("*["):
                return f"nn.ModuleList({slot.entries[0][1:]})"
            return f"nn.ModuleList([{', '.join(slot.entries)}])"
        case "dict":
            filled, later = dict_items(slot)
            return None if later else f"nn.ModuleDict({{{', '.join(filled)}}})"
        case _:
            return None


def child_lines(owner: str, name: str, slot: Slot, kind: str) -> list[Line]:
    place = f"{owner}[{quoted(name)}]" if kind == "dict" else f"{owner}.{name}"
    if slot.switch is not None:
        there = child_lines(owner, name, replace(slot, switch=None), kind)
        head = [Line(f"{place} = None", 1), Line(f"if {slot.switch}:", 1)]
        return [*head, *(Line(line.text, line.indent + 1) for line in there)]
    if slot.kind == "leaf" and slot.buffer:
        kept = "" if slot.persistent else ", persistent=False"
        return [Line(f"{owner}.register_buffer({quoted(name)}, {slot.text}{kept})", 1)]
    if slot.kind == "sequential" and has_optional(slot.entries):
        return [*collected(slot.entries), Line(f"{place} = nn.Sequential(*{LAYERS})", 1)]
    text = _text(slot)
    if text is not None:
        return [Line(f"{place} = {text}", 1)]
    if slot.kind == "dict":
        filled, later = dict_items(slot)
        lines = [
            Line(f"{place} = nn.ModuleDict({{{', '.join(filled)}}})" if filled else f"{place} = nn.ModuleDict()", 1)
        ]
    else:
        lines, later = [Line(f"{place} = nn.Module()\x05only for the names in it", 1)], list(slot.children.items())
    for child, inner in later:
        lines += child_lines(place, child, inner, slot.kind)
    return lines


def constructor_lines(root: Slot, base: str) -> list[Line]:
    """The body of a constructor, from `super().__init__` on."""
    lines: list[Line] = []
    if base == "nn.Sequential":
        if has_optional(root.entries):
            return [*collected(root.entries), Line(f"super().__init__(*{LAYERS})", 1)]
        return [Line(f"super().__init__({', '.join(root.entries)})", 1)]
    if base == "nn.ModuleDict":
        filled, later = dict_items(root)
        lines.append(Line(f"super().__init__({{{', '.join(filled)}}})" if filled else "super().__init__()", 1))
        for name, child in later:
            lines += child_lines("self", name, child, root.kind)
        return lines
    lines.append(Line("super().__init__()", 1))
    for name, child in root.children.items():
        lines += child_lines("self", name, child, root.kind)
    return lines


def with_table(lines: list[Line], given: Given, text: str, base: str) -> list[Line]:
    """A constructor that makes a table first; one that a single layer takes is made there."""
    readers = [line for line in lines if given.mark in line.text]
    if sum(line.text.count(given.mark) for line in readers) == 1 and " for " not in readers[0].text:
        return [replace(line, text=line.text.replace(given.mark, text)) for line in lines]
    at = 1 if base == "nn.Module" else 0
    return [*lines[:at], Line(f"{given.mark} = {text}", 1), *lines[at:]]


__all__ = ["constructor_lines", "with_table"]
