"""E05xx: what a backend cannot express, invalid cuts of a model, and choices an `export` section must make."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import listed, meant


def inexpressible(operator: str, backend: str, reason: str, span: Span, *helps: str) -> Diagnostic:
    return Diagnostic("E0501", f"`{operator}` cannot be expressed in {backend}", span, reason, helps=helps)


def other_opset(asked: int, written: int, span: Span) -> Diagnostic:
    why = f"opset {written} is written: `Attention` and `RMSNormalization` begin with it"
    return Diagnostic("E0501", f"`opset = {asked}` cannot be expressed in ONNX", span, why, helps=("remove `opset`",))


def no_lowering(operator: str, backend: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0501",
        f"`{operator}` is not supported by {backend}",
        span,
        "no lowering",
        helps=("export a part of the model without it: `inputs` and `outputs` of the section cut the model",),
    )


def random_in_export(operator: str, model: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0502",
        f"an exported output of `{model}` depends on random numbers",
        span,
        f"`{operator}` draws them",
        helps=("draw only in training, `if training { .. } else { .. }`, or export another output",),
    )


def input_not_listed(output: str, needed: str, inputs: tuple[str, ...], span: Span, at: Span) -> Diagnostic:
    return Diagnostic(
        "E0504",
        f"the output `{output}` needs the input `{needed}`, which is not listed",
        span,
        labels=(Label(at, f"needs `{needed}`"),),
        notes=(f"the inputs of this export are {listed(inputs)}",),
        helps=(f"add `{needed}` to `inputs`",),
    )


def no_such_tap(name: str, model: str, known: tuple[str, ...], near: str | None, span: Span) -> Diagnostic:
    helps = (f"did you mean `{near}`?",) if near else (f"known: {listed(known, 24)}",)
    return Diagnostic("E0301", f"`{model}` has no input, output or binding `{name}`", span, "not found", helps=helps)


def dimension_without_input(dimension: str, inputs: tuple[str, ...], span: Span) -> Diagnostic:
    return Diagnostic(
        "E0308",
        f"no listed input has the size `{dimension}`",
        span,
        notes=(f"the inputs of this export are {listed(inputs)}",),
        helps=(f"list an input with an axis `{dimension}`, or fix its size: `fix {{ {dimension} = .. }}`",),
    )


def no_sequence(model: str, fixed: list[str], span: Span) -> Diagnostic:
    if fixed:
        return Diagnostic(
            "E0503",
            f"`{model}` has no cached form: its sequence length is fixed",
            span,
            notes=(f"the export fixes {listed(fixed)}",),
            helps=("remove it from `fix { .. }`",),
        )
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: no input has a sequence length",
        span,
        "no symbolic size after the first axis",
        helps=("declare a sequence, such as `tokens: i64[B, T]`",),
    )


def no_cached_form(model: str, stage: str, reason: str, span: Span, place: str, *helps: str) -> Diagnostic:
    notes = (f"in `{place}`",) if place else ()
    otherwise = "export without `--cached` to compute whole sequences"
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: `{stage}` {reason}",
        span,
        "needs positions outside the current step",
        notes=notes,
        helps=(*helps, otherwise),
    )


def nothing_to_keep(model: str, length: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: no causal attention reads `{length}`",
        span,
        "nothing to cache",
        helps=("export without `--cached` to compute whole sequences",),
    )


def output_of_other_length(model: str, output: str, length: str, type: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: the output `{output}` is `{type}`, not along `{length}`",
        span,
        helps=(f"give the output an axis `{length}`, or no such axis for the last position alone",),
    )


def length_required(model: str, length: str, text: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0503",
        f"`{model}` has no cached form: `{text}` cannot hold for a single step",
        span,
        f"a step may be one position of `{length}`",
        helps=("export without `--cached` to compute whole sequences",),
    )


def quantized_half(precision: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0501",
        f'`quantize` cannot be expressed in ONNX with `precision = "{precision}"`',
        span,
        "quantized weights are multiplied in f32",
        helps=('set `precision = "f32"`, or remove `quantize`',),
    )


def nothing_to_quantize(least: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0501",
        "`quantize` has nothing to do: no `Linear` is large enough",
        span,
        f"only those with {least:,} weights or more are quantized",
        helps=("remove `quantize`",),
    )


# ---- what the section asks for --------------------------------------------------------------------------------------


def which_train(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "several `train` sections: which one is exported?",
        span,
        "no `train`",
        helps=(f"for example `train = {names[0]}`",),
    )


def which_net(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "several nets are trained: which one is exported?",
        span,
        "no `model`",
        helps=(f"for example `model = {names[0]}`",),
    )


def which_model(span: Span, names: Sequence[str]) -> Diagnostic:
    helps = (f"for example `model = {names[0]}`",) if names else ("this spec has no model",)
    return Diagnostic("E0408", "which model is exported?", span, "no `model`", helps=helps)


def no_tap(span: Span, model: str, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{model}` has no input, output or binding `{name}`",
        span,
        "not found",
        helps=meant(near) or ("name a value as the model binds it",),
    )


def fix_unknown(span: Span, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = meant(near) or ((f"the sizes are {listed(known, 24)}",) if known else ("no size is symbolic",))
    return Diagnostic("E0301", f"the inputs have no symbolic size `{name}`", span, "unknown size", helps=helps)


def fix_outside(span: Span, name: str, value: int, why: str) -> Diagnostic:
    return Diagnostic(
        "E0210",
        f"`{name} = {value}` violates `{why}`",
        span,
        "does not hold",
        helps=("give a size for which it holds, or remove it from `fix`",),
    )


def cut_needs(span: Span, output: str, needed: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0504",
        f"output `{output}` needs {listed(needed, 24)}, which is not listed",
        span,
        "needs more inputs",
        helps=(f"add to the inputs: `inputs = [.., {', '.join(needed)}]`",),
    )


def two_outputs(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0408",
        f"two outputs are called `{name}`",
        span,
        "second",
        helps=("give one of them another name: `outputs { other = .. }`",),
    )


def output_is_input(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0311",
        f"`{name}` is both an input and an output of the file",
        span,
        "an output",
        helps=(f"give the output another name: `outputs {{ {name}_out = {name} }}`",),
    )


def layer_in_output(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{name}` is a layer, not a function",
        span,
        "outputs are computed with functions",
        helps=("use it in the model, where it is trained, and name its result here",),
    )


def random_output(span: Span, output: str, function: str, place: Span) -> Diagnostic:
    return Diagnostic(
        "E0502",
        f"output `{output}` is random: it depends on `{function}` in evaluation",
        span,
        "random",
        (Label(place, "drawn here"),),
        helps=("use it only under `if training`, or make the random values an input",),
    )


def open_size(span: Span, output: str, size: str) -> Diagnostic:
    return Diagnostic(
        "E0308",
        f"size `{size}` of output `{output}` comes from no listed input",
        span,
        f"`{size}` is unknown",
        helps=("list an input that has it",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0501": Explanation(
            "not supported by the backend",
            "The message names the operator, its location and the backend. Nothing is skipped silently.",
            programs.body("y = x -> avg_pool(3, adaptive = true)", "x: [B, 4, 8, 8]", "y: [B, 4, 3, 3]")
            + programs.EXPORT,
            programs.body("y = x -> avg_pool(4, adaptive = true)", "x: [B, 4, 8, 8]", "y: [B, 4, 4, 4]")
            + programs.EXPORT,
        ),
        "E0502": Explanation(
            "random function in an exported output",
            "Two runs of the exported model would differ, so it could not be compared with PyTorch. Put the function under\n"
            "`if training`, or make the random values an input.",
            programs.DIGITS.replace("flatten ->", "flatten -> noise ->").replace(
                "model M", "block noise(x: [B, D]) -> [B, D] {\n  x + randn(x)\n}\n\nmodel M"
            )
            + programs.EXPORT,
            programs.DIGITS.replace("flatten ->", "flatten -> noise ->").replace(
                "model M", "block noise(x: [B, D]) -> [B, D] {\n  x -> if training { add(randn(x)) }\n}\n\nmodel M"
            )
            + programs.EXPORT,
        ),
        "E0503": Explanation(
            "no cached form",
            "The form for generation processes a few positions at a time and caches the keys and values of earlier ones. So the\n"
            "sequence axis may reach only causal attention, stages that work position by position, and `arange(T)`,\n"
            "`sinusoid(T, ..)` and `rope`, which then start at the first new position. The stage that needs the whole\n"
            "sequence is shown.",
            programs.body(
                "y = tokens -> wte: Embedding(32, 16) -> attn: MultiHeadAttention(2)",
                "tokens: i64[B, T]",
                "y: [B, T, 16]",
            ),
            programs.body(
                "y = tokens -> wte: Embedding(32, 16) -> attn: MultiHeadAttention(2, causal = true)",
                "tokens: i64[B, T]",
                "y: [B, T, 16]",
            ),
            "dlc export --cached",
        ),
        "E0504": Explanation(
            "an output of a cut needs an input that is not listed",
            "`inputs = [z]` cuts the model at `z`; every listed output must be computable from the listed inputs.",
            programs.cut("[code]", "[out]"),
            programs.cut("[code, x]", "[out]"),
        ),
    }
