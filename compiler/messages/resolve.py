"""Names across files: imports, `extends`, parameters, settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .habits import suggest
from .names import nearest
from .source import Span
from .wording import listed, meant

# ---- files -----------------------------------------------------------------------------------------------------------


def edition_unknown(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "E0101",
        f"this spec is written in edition {text}, but this dlc knows only edition 1",
        span,
        "unknown edition",
        helps=("the first line of a spec must be `dlspec 1`",),
    )


def import_missing(span: Span, shown: str, why: str, near: str | None, known: Sequence[str] = ()) -> Diagnostic:
    others = f"these are known: {listed(known, 24)}" if known else "paths are relative to the file that names them"
    helps = meant(near) or (others,)
    return Diagnostic("E0315", f"cannot read `{shown}`: {why}", span, helps=helps)


def import_unreadable(found: Diagnostic, span: Span, near: str | None, *, missing: bool) -> Diagnostic:
    helps = ("paths are relative to the file that names them",) if missing else found.helps
    return replace(found, span=span, helps=meant(near) or helps)


def import_absolute(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0315",
        "an import path must be relative to the importing file",
        span,
        "absolute path",
        helps=('write it relative to this file, for example `"parts/block.dlspec"`',),
    )


def import_outside(span: Span, shown: str, root: str) -> Diagnostic:
    return Diagnostic(
        "E0315",
        f"`{shown}` is outside the project",
        span,
        "outside the project root",
        notes=(f"the project root is `{root}`",),
        helps=("the root is the nearest directory upward with `pyproject.toml` or `.git`, else that of the spec",),
    )


def import_cycle(span: Span, chain: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0315",
        f"import cycle: {' -> '.join(chain)}",
        span,
        "leads back to itself",
        helps=("move what both files need into a third one",),
    )


def import_depth(span: Span, limit: int) -> Diagnostic:
    return Diagnostic(
        "E0315",
        f"imports are nested more than {limit} deep",
        span,
        helps=("import the names from the file that defines them",),
    )


def import_name(span: Span, shown: str, name: str, near: str | None, has: Sequence[str]) -> Diagnostic:
    notes = (f"it has {listed(has, 24)}",) if has else (f"`{shown}` defines nothing that can be imported",)
    return Diagnostic("E0315", f"`{shown}` has no `{name}`", span, "not found there", notes=notes, helps=meant(near))


def import_argument(span: Span, shown: str, name: str, near: str | None, has: Sequence[str]) -> Diagnostic:
    notes = (f"its parameters are {listed(has, 24)}",) if has else (f"`{shown}` has no parameters",)
    return Diagnostic("E0304", f"`{shown}` has no parameter `{name}`", span, notes=notes, helps=meant(near))


def import_positional(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "parameters of a file must be given by name", span, "no name", helps=("for example `(ctx = 2048)`",)
    )


def argument_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`{name}` is given twice", span, "second", (Label(first, "first"),), helps=("remove one of the two",)
    )


def second_extends(span: Span, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0315",
        "a spec can extend only one other spec",
        span,
        "second `extends`",
        (Label(first, "first"),),
        helps=("make one of the two extend the other, or import what is needed",),
    )


def too_many_variants(span: Span, count: int, most: int) -> Diagnostic:
    return Diagnostic(
        "E0316",
        f"{count:,} variants; a spec has at most {most:,}",
        span,
        "too many",
        helps=("give the values on the command line, `train.batch=32,64`, or name them in a `search` section",),
    )


# ---- definitions -----------------------------------------------------------------------------------------------------


def defined_twice(span: Span, name: str, first: Span, helps: tuple[str, ...] = ()) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"`{name}` is defined twice",
        span,
        "second",
        (Label(first, "first"),),
        helps=helps or ("rename or remove one of them",),
    )


def no_outputs(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0307",
        f"`{name}` has no outputs",
        span,
        "empty",
        helps=("name at least one and assign it in the body: `-> (logits: [B, classes])`",),
    )


def section_twice(span: Span, kind: str, name: str, first: Span) -> Diagnostic:
    what = f"two `{kind}` sections are named `{name}`" if name else f"two `{kind}` sections have no name"
    return Diagnostic(
        "E0311",
        what,
        span,
        "second",
        (Label(first, "first"),),
        helps=(
            f"name them, `{kind} first {{ .. }}`; to change a key of an extended spec, write `set {kind}.key = value`",
        ),
    )


def levels(span: Span, name: str, this: str, other: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"`{name}` is both {other} and {this}",
        span,
        this,
        (Label(first, other),),
        helps=("rename one of the two",),
    )


def hides_table_name(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "W0406",
        f"`{name}` hides the built-in `{name}`",
        span,
        what,
        helps=("in this file the name means this definition; rename it to use both",),
    )


def overrides_nothing(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic("E0301", f"there is no block `{name}` to override", span, "overrides nothing", helps=meant(near))


def override_not_reached(span: Span, name: str, used: Sequence[str]) -> Diagnostic:
    near = nearest(name, used)
    helps = meant(near) or ((f"blocks in use: {listed(used, 24)}",) if used else ())
    return Diagnostic(
        "E0406", f"overriding `{name}` has no effect: no model or section uses it", span, "unused", helps=helps
    )


def override_without_extends(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"there is no block `{name}` to override: this spec extends no other",
        span,
        "overrides nothing",
        helps=('start from another spec with `extends "base.dlspec"`, or remove `override`',),
    )


def too_many_of_a_name(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"too many blocks named `{name}` to write into one file",
        span,
        "one of them",
        helps=("label their uses, `name: Block(..)`, so that parameter names do not depend on the block's name",),
    )


# ---- parameters ------------------------------------------------------------------------------------------------------


def unknown_name(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"unknown name `{name}`",
        span,
        "not found",
        helps=suggest(name, near) or (f"declare it before: `param {name} = ..`",),
    )


def unknown_applied(span: Span, name: str, expected: str, near: str | None) -> Diagnostic:
    return Diagnostic("E0301", f"unknown name `{name}`", span, f"expected {expected}", helps=suggest(name, near))


def without_quotes(span: Span, name: str, setting: str | None) -> Diagnostic:
    """A word where a string is meant; `setting` is the key on the command line, where the shell takes a pair of quotes."""
    written = f'`"{name}"`' if setting is None else f"the shell removes one pair: `'{setting}=\"{name}\"'`"
    return Diagnostic(
        "E0301",
        f"unknown name `{name}`",
        span,
        "not found",
        helps=(f"quote strings: {written}" if setting is None else f"quote strings; {written}",),
    )


def not_a_value(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` is a {what}, not a value",
        span,
        helps=("a value that several places use is a param: `param width = 64`",),
    )


def param_below(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{name}` is declared below",
        span,
        "used before its declaration",
        (Label(first, "declared here"),),
        helps=("a parameter can use only those above it: move it up",),
    )


def param_cycle(span: Span, names: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"the value depends on itself: {' -> '.join(names)}",
        span,
        "cycle",
        helps=("give one of them a value of its own",),
    )


def param_type_unknown(span: Span, text: str, near: str | None) -> Diagnostic:
    near = {"integer": "int", "str": "string", "boolean": "bool", "number": "float", "double": "float"}.get(text, near)
    return Diagnostic(
        "E0304",
        f"`{text}` is not a parameter type",
        span,
        "unknown type",
        helps=meant(near) or ("parameters are `int`, `float`, `bool`, `string`, `one_of(..)`, `fn` or `layer`",),
    )


def values_of_type(span: Span, name: str) -> Diagnostic:
    """A type that lists values where it takes none, or `one_of` without any."""
    if name != "one_of":
        return Diagnostic("E0304", f"`{name}` takes no values", span, "a type is a name", helps=(f"write `{name}`",))
    helps = ('write them: `one_of("relu", "gelu")`',)
    return Diagnostic("E0304", "`one_of` needs its values, without names", span, "which values?", helps=helps)


def wrong_value(
    span: Span, name: str, expected: str, found: str, declared: Span | None, default: str | None, code: str = "E0304"
) -> Diagnostic:
    labels = (Label(declared, f"default {default}" if default else "declared here"),) if declared else ()
    return Diagnostic(code, f"`{name}` must be {expected}, not {found}", span, f"expected {expected}", labels)


def not_static(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "this is not a static value",
        span,
        "not static",
        helps=(
            "static values are numbers, bools, strings, lists of them, parameters, arithmetic and `sqrt exp log sin cos floor min max`",
        ),
    )


def unknown_function(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301", f"unknown function `{name}`", span, "not a function of numbers", helps=suggest(name, near)
    )


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic("E0105", "nesting over 100", span, "too deep", helps=("bind a part of it to a name",))


# ---- settings --------------------------------------------------------------------------------------------------------


def unknown_setting(span: Span, path: str, near: str | None, has: Sequence[str]) -> Diagnostic:
    notes = (f"this spec has {listed(has, 24)}",) if has else ("this spec has no settings",)
    return Diagnostic("E0301", f"unknown setting `{path}`", span, "not a setting", notes=notes, helps=meant(near))


def several_values(span: Span, count: int) -> Diagnostic:
    return Diagnostic(
        "E0101",
        f"{count} values for one setting",
        span,
        "more than one value",
        helps=("give one value; only `dlc train` takes several and starts one run for each",),
    )


def ambiguous_setting(span: Span, path: str, fits: Sequence[str]) -> Diagnostic:
    shown = ", ".join(f"`{name}`" for name in fits)
    return Diagnostic(
        "E0301",
        f"`{path}` could be several settings: {shown}",
        span,
        "ambiguous",
        helps=(f"for example `{fits[0]} = ..`",),
    )


def no_section(span: Span, kind: str) -> Diagnostic:
    return Diagnostic(
        "E0301", f"this spec has no `{kind}` section", span, "nothing to set", helps=(f"add one: `{kind} {{ .. }}`",)
    )


def setting_twice(span: Span, path: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0408", f"`{path}` is set twice", span, "second", (Label(first, "first"),), helps=("remove one of the two",)
    )


def not_a_key(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic("E0301", f"`{name}` is {what}, not a key that can be set", span, helps=("change it in the spec",))


def no_keys(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{name}` has no keys of its own",
        span,
        "a single value",
        helps=(f"set it as a whole: `{name} = value`",),
    )


def unknown_variant(span: Span, name: str, near: str | None, has: Sequence[str]) -> Diagnostic:
    notes = (f"this spec has {listed(has, 24)}",) if has else ("this spec has no variants",)
    helps = meant(near) or ("name one of these after `@`" if has else "leave `@` and what follows out",)
    return Diagnostic("E0301", f"unknown variant `{name}`", span, notes=notes, helps=helps)


def changes_nothing(span: Span, path: str) -> Diagnostic:
    return Diagnostic(
        "E0406",
        f"`{path}` has no effect: no model or section in use reads it",
        span,
        "unused",
        helps=("remove it, or use it in a model or section",),
    )


def with_near(diagnostic: Diagnostic, near: str) -> Diagnostic:
    return replace(diagnostic, helps=meant(near))


def explanations() -> dict[str, Explanation]:
    return {
        "E0311": Explanation(
            "the same name at two levels, or an ambiguous name in `train`",
            "A reader could not know which one is meant. Rename one of them; in `train`, write `data.x` or `model.x`.",
            "dlspec 1\n\nparam x = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x\n}\n",
            "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * n\n}\n",
        ),
        "E0315": Explanation(
            "import or `extends`: missing, outside the project root, a cycle",
            "Paths are relative to the importing file and stay inside the project.",
            'dlspec 1\nfrom "nowhere.dlspec" import Block\n',
            "dlspec 1\nfrom std.attention import SelfAttention\n",
        ),
        "E0406": Explanation(
            "setting or override without effect",
            "A setting or `override block` names something that this spec does not use.",
            "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x\n}\n\nset n = 4\n",
            "dlspec 1\n\nparam n = 3\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * n\n}\n\nset n = 4\n",
        ),
        "W0406": Explanation(
            "a name in the file hides a built-in name",
            "A name defined in the file always takes precedence over a built-in one, which a reader may not expect.",
            "dlspec 1\n\nblock relu(x: [B, D]) -> [B, D] {\n  x -> clamp(0, 6)\n}\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> relu\n}\n",
            "dlspec 1\n\nblock relu1(x: [B, D]) -> [B, D] {\n  x -> clamp(0, 1)\n}\n\n"
            "model M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x -> relu1\n}\n",
        ),
    }
