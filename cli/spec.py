"""What the commands share about specs: the target on the command line, checking it, showing what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from . import console

if TYPE_CHECKING:
    from ..compiler.check import Checked
    from ..compiler.ir.data import DataFacts
    from ..compiler.messages.diagnostics import Diagnostic
    from ..compiler.messages.source import Source


class SpecRejected(Exception):
    """The spec has mistakes, and they have been shown: the command ends with exit code 2."""


def split(target: str) -> tuple[str, str | None]:
    """`gpt2.dlspec@medium` -> the file and the variant."""
    file, at, variant = target.rpartition("@")
    return (file, variant) if at and variant and not variant.endswith(".dlspec") else (target, None)


def show(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source] | None) -> None:
    """Diagnostics on standard error, each with its source excerpt, then how many there are."""
    if not diagnostics:
        return
    from ..compiler.messages.render import render

    text = render(
        diagnostics, sources or {}, color=console.coloured(), unicode=console.speaks_unicode(), width=console.width()
    )
    console.drawn(text.removesuffix("\n"))


def check(target: str, overrides: Sequence[str] = ()) -> Checked:
    """One spec of the command line (`FILE[@variant]` and its `key=value`s), checked. What is found is shown; a mistake
    ends the command."""
    (checked,) = check_each(target, [tuple(overrides)])
    return checked


def check_each(target: str, combinations: Sequence[tuple[str, ...]]) -> list[Checked]:
    """Checks one spec with several sets of settings; each mistake is shown once, and one ends the command."""
    from ..compiler.check import check

    file, variant = split(target)
    shown: list[Diagnostic] = []
    every = [check(file, overrides, variant) for overrides in combinations]
    for checked in every:
        found = [diagnostic for diagnostic in checked.report.diagnostics if diagnostic not in shown]
        show(found, checked.sources)
        shown += found
    if not all(checked.ok for checked in every):
        raise SpecRejected
    return every


def check_data(checked: Checked, facts: Mapping[str, DataFacts]) -> Checked:
    """A checked spec with its data. What is found now is shown; a mistake ends the command."""
    from ..compiler.check import against

    found = against(checked, facts)
    show([new for new in found.report.diagnostics if new not in checked.report.diagnostics], found.sources)
    if not found.ok:
        raise SpecRejected
    return found


def changes(target: str, overrides: Sequence[str], after: Checked) -> str:
    """What a variant and settings change compared with the file itself: `width 32 -> 48   train.batch 128 -> 256`."""
    from ..compiler.messages.diagnostics import Failed
    from ..compiler.resolve.diff import compare
    from ..compiler.resolve.project import resolve

    file, variant = split(target)
    if variant is None and not overrides:
        return ""
    before = resolve(file)
    if not before.report.ok:  # a spec that is right only with its settings
        return ""
    try:
        found = compare(before, after.project).settings
    except Failed:  # it cannot be written as one file
        return ""
    return "   ".join(
        f"{change.name} {change.before} -> {change.after}" if change.before else f"{change.name} {change.after}"
        for change in found
    )


def combinations(overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """`seed=1,2 width=3,4` as the settings of each run, the last varying fastest; what is wrong is shown and ends the
    command."""
    if not any("," in text for text in overrides):
        return [tuple(overrides)]
    from ..compiler.messages.source import Source
    from ..compiler.text.parse import parse_settings

    choices: list[list[str]] = []
    for number, text in enumerate(overrides, 1):
        source = Source(f"argument {number}", text)
        settings, diagnostics = parse_settings(source)
        if diagnostics:
            show(diagnostics, {source.name: source})
            raise SpecRejected
        several = [f"{one.path.text}={text[one.value.span.start : one.value.span.end]}" for one in settings]
        choices.append(list(dict.fromkeys(several)) if len(several) > 1 else [text])
    return list(product(*choices))


def check_every_variant(target: str) -> tuple[list[Diagnostic], dict[str, Source]]:
    """What is wrong with a spec and, if no variant is named, with each of its variants; each mistake once."""
    from ..compiler.check import check
    from ..compiler.messages.diagnostics import Diagnostic
    from ..compiler.text.read import is_pipe, read_once

    file, variant = split(target)
    text = read_once(file) if is_pipe(file) else file
    if isinstance(text, Diagnostic):
        return [text], {}
    first = check(text, variant=variant)
    found, sources = list(first.report.diagnostics), dict(first.sources)
    for name in first.project.variants if variant is None else ():
        checked = check(text, variant=name)
        found += [diagnostic for diagnostic in checked.report.diagnostics if diagnostic not in found]
        sources |= checked.sources
    return found, sources


#: The code of data that is not there or cannot be read.
NOT_READ = "E0412"


def gather(checked: Checked, root: Path, cache: Path | None, every: bool) -> dict[str, DataFacts]:
    """Facts of the data sections. A mistake in the data, or a file that is not there, is shown and ends the command; with `every`
    all records are looked at. A section that nothing trains on may be somewhere else."""
    from ..compiler.catalogue.balanced import counted_fields
    from ..compiler.catalogue.token_batches import counts_tokens
    from ..compiler.ir.recipe import Recipe
    from ..compiler.messages.diagnostics import Failed
    from ..runtime.data import sources

    facts: dict[str, DataFacts] = {}
    recipe = checked.spec.recipe if checked.spec else Recipe()
    for section in recipe.data:
        trains = [train for train in recipe.trains if train.data == section.name]
        lengths = any(counts_tokens(train) for train in trains)
        bodies = checked.spec.bodies if checked.spec else ()
        counts = frozenset[str]().union(*(counted_fields(bodies, train) for train in trains))
        try:
            sources.check_beginnings(section, root)
            from ..runtime.data.facts import gather  # loads torch

            file = cache / f"{section.name}.json" if cache else None
            facts[section.name] = gather(section, root, file, every=every, lengths=lengths, counts=counts)
        except Failed as failure:
            if recipe.trains and not trains and failure.diagnostic.code == NOT_READ:
                continue
            show([failure.diagnostic], checked.sources)
            raise SpecRejected from failure
    return facts


def weights(checked: Checked, root: Path) -> dict[str, list[str]]:
    """By train section, what its nets start from: matched with the files that are there, or where they would be. Weights
    that are here and do not fit are shown and end the command."""
    from ..compiler.messages.diagnostics import Failed

    assert checked.spec is not None
    told: dict[str, list[str]] = {}
    for train in checked.spec.recipe.trains:
        if not train.weights:
            continue
        from ..runtime.weights import load  # torch takes a second, and few specs have weights
        from ..runtime.weights.mistakes import MISSING

        for net, source in train.weights.items():
            prefix = f"{net}: " if net else ""
            try:
                text = load.summary(load.fit(checked.spec, train, net, root))
            except Failed as failure:
                found = failure.diagnostic
                if found.label != MISSING:
                    show([found], checked.sources)
                    raise SpecRejected from failure
                text = f"{load.label(source)}: not found; {found.helps[0]}"
            told.setdefault(train.name, []).append(prefix + text)
    return told


@contextmanager
def places(sources: Mapping[str, Source]) -> Iterator[None]:
    """What is found after the check, e.g. by a backend, is shown with the excerpts of these sources."""
    from ..compiler.messages.diagnostics import Failed

    try:
        yield
    except Failed as failure:
        show([failure.diagnostic], sources)
        raise SpecRejected from failure
