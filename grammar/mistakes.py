"""Common syntax mistakes, each with a message, a fix and programs that make it; `mistake` explains the patterns."""

from __future__ import annotations

import re

from .mistake import FIRST_IN, IN_BODY, IN_SECTION, OPERATOR, VALUE, Mistake
from .other_notations import OTHER_NOTATIONS

MISTAKES: tuple[Mistake, ...] = (
    *OTHER_NOTATIONS,
    # ---- pipelines -----------------------------------------------------------------------------------------------
    Mistake(
        r"(?:pipe -> (?:path : )?|postfix : )(?:NAME|path|path args|unit|stage|path args \. NAME|group|shape|\}|\)) \| (?:PLUS|MINUS|MUL|CMP|POWER|RANGE|AND|OR|word:(?:and|or))",
        "`{text}` after a pipeline is ambiguous",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> relu + 1\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> a: Linear(3) * (x -> Linear(3))\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = b: Param([3]) + x\n}",
        ),
        "does it apply to the stage or to the result?",
        ("write `({flow}) {text} …`",),
        code="E0102",
    ),
    Mistake(
        r"-> (?:path : )?path(?: args)? \| \[|-> (?:path : )?NAME \| \[|-> .*path args \. NAME \| \[",
        "a stage cannot be indexed",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> f[0]\n}",),
        "index of what?",
        ("put the pipeline in parentheses: `({flow})[..]`",),
    ),
    Mistake(
        r"-> (?:path : )?path args \| \(",
        "a stage takes one argument list",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> Linear(8)(x)\n}",),
        "second argument list",
        ("the piped value comes in through `->`; give further inputs by name in the first list",),
    ),
    Mistake(
        r"-> (?:path : )?path args \. NAME \| \($",
        "a stage has no methods",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> Linear(8).relu()\n}",),
        "not an argument list of `{last}`",
        ("the next stage follows an arrow: `-> {last}`",),
    ),
    Mistake(
        r"-> path \| =$",
        "a layer is labelled with `:`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> fc = Linear(8)\n}",),
        "not inside a pipeline",
        ("write `-> {last}: {value}`",),
    ),
    Mistake(
        r"-> (?:path : )?path args \. NAME \| \.|-> (?:path : )?path args \. \| ",
        "a stage selects a single output",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> LSTM(8).h.c\n}",),
        "",
        ("bind the result: `r = x -> LSTM(8)`, then `r.h`",),
    ),
    Mistake(
        r"[(,] NAME : \| \($",
        "a shape is written in brackets",
        ("model M(x: (B, 8)) -> (y: [B, 8]) {\n  y = x\n}",),
        "not a type",
        ("write `[B, 8]`",),
    ),
    Mistake(
        r"(?:PARAM|[(,]) NAME : \| ",
        "a type is missing after `:`",
        ("param width: 3", "block A(n: 3)(x: [B]) -> [B] { x }"),
        "not a type",
        ("write `name: int = 3`, or `name = 3` to infer the type",),
    ),
    Mistake(
        r"(?:->|(?:path|postfix) :) \| (?:NUMBER|STRING|MINUS|word:(?:true|false|none|not))",
        "this is not a stage",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> 3\n}", "model M(x: [B]) -> (y: [B]) {\n  y = x -> -x\n}"),
        "expected a layer, a function, a shape or braces after `{last}`",
    ),
    Mistake(
        r"-> \| \(",
        "a stage cannot be in parentheses",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> (relu)\n}",),
        "not a stage",
        (
            "several stages are grouped with braces: `-> {{ a -> b }}`",
            "axes are split and joined by name: `x -> [B, T, (H, D)] => [B, T, H, D]`",
        ),
    ),
    Mistake(
        r"(?:->|:) \| (?:NL|END|[)\]},;])",
        "a stage is missing after `{last}`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x ->\n}", "model M(x: [B]) -> (y: [B]) {\n  y = (x ->)\n}"),
        "expected a stage",
    ),
    Mistake(
        r"(?:->|:) \| ->",
        "a stage is missing between two `->`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> -> relu\n}",),
        "expected a stage",
    ),
    Mistake(
        r"REPEAT (?:expr|or_|postfix|NUMBER|NAME) \| ",
        "the body of `repeat` needs braces",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> repeat 3 Linear(8)\n}",),
        "expected `{{`",
        ("for example `repeat 3 {{ Linear(8) }}`",),
    ),
    Mistake(
        r"-> IF (?:expr|or_|postfix|NAME) \| |IN (?:expr|or_|postfix|NAME|sum|range|postfix \(\)|\(\)|\[\]) \| ",
        "the stages of `if` and `for` need braces",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> if training dropout(0.1)\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> for n in [1, 2] Linear(n)\n}",
        ),
        "expected `{{`",
        ("for example `if c {{ a -> b }} else {{ c }}` or `for n in [1, 2] {{ Linear(n) }}`",),
    ),
    Mistake(
        r"IF or_ \{ pipe \} \| ",
        "`if` as a value needs an `else`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = if training { x }\n}",),
        "expected `else`",
        ("write `if c {{ a }} else {{ b }}`; `else` is optional only in a stage, `-> if c {{ .. }}`",),
    ),
    Mistake(
        r"IF (?:NAME|or_|postfix|and_|cmp|range|sum|expr)(?: \{ pipe \} ELSE)? \| |ELSE \| |IF \| ",
        "`if` branches need braces",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = if training x else 0\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = if training { x } else 0\n}",
        ),
        "expected `{{`",
        ("write `if c {{ a }} else {{ b }}`",),
    ),
    Mistake(
        r"\{ seq \| (?:NL|=)|-> \{ .*NAME \| =|: \{ .*NAME \| =|(?:IF|IN|REPEAT) expr \{ path \| =$",
        "the braces of a stage contain stages joined by `->`",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> {\n    Linear(8)\n    relu\n  }\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> { Linear(8); relu }\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> if training { h = relu }\n}",
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> repeat 3 { h = relu }\n}",
        ),
        "expected `->` or `}}`",
        ("put statements in the body of a `block`",),
    ),
    Mistake(
        r"IF or_ \{ postfix \| =$",
        "a branch of an `if` that is a value contains a single value",
        ("model M(n = 3)(x: [B]) -> (y: [B]) {\n  y = if n > 0 { a = x -> relu; a } else { x }\n}",),
        "not a value",
        ("make the `if` a statement that binds the name in each branch: `if c {{ .. y = a }} else {{ y = b }}`",),
    ),
    Mistake(
        r"\. \| NUMBER$",
        "a name cannot start with a digit",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> layers.0: Linear(8)\n}",
            "model M(x: [B]) -> (y: [B]) {\n  layers.0: Linear(8)\n}",
        ),
        "not a name",
        ("numbered layers come from `repeat` and `for`: `layers: repeat 3 {{ .. }}` owns `layers.0`, `layers.1`, ..",),
    ),
    # ---- headers -------------------------------------------------------------------------------------------------
    Mistake(
        r"(?:^|_NL )(?:OVERRIDE )?MODEL NAME \| (?!=)",
        "the model `{last}` has no inputs",
        ("model M {\n  y = 3\n}",),
        "expected `(`",
        ("for example `model {last}(x: [B, 8]) -> (y: [B, 2]) {{ .. }}`",),
    ),
    Mistake(
        r"BLOCK NAME \| ",
        "the block `{last}` has neither inputs nor stages",
        ("block A {\n  relu\n}",),
        "expected `(` or `=`",
        ("write `block {last}(x: [B, D]) -> [B, D] {{ .. }}`, or `block {last} = stage -> stage`",),
    ),
    Mistake(
        r"(?:^|_NL )(?:OVERRIDE )?(?:MODEL|BLOCK|DATA|WEIGHTS|_VARIANT|PARAM) \| ",
        "`{last}` needs a name",
        ("model (x: [B]) -> [B] { x }", 'data {\n  source = csv("x")\n}', "param = 3", "weights {\n}"),
        "expected a name",
        ("write `{last} Name ..`",),
    ),
    Mistake(
        r"WEIGHTS NAME (?:FOR )?\| ",
        "a weight map must name its model",
        ('weights hf {\n  "**" <- "**"\n}',),
        "expected `for`",
        ("write `weights name for Model {{ .. }}`",),
    ),
    Mistake(
        r"PARAM NAME(?: : .*)? \| (?:NL|END)",
        "a param needs a value",
        ("param width\n", "param width: int\n"),
        "expected `= ..`",
        ("give it a default: `param name = value`",),
    ),
    Mistake(
        r"(?:DATA NAME|TRAIN|TRAIN NAME|EXPORT|EXPORT NAME|SEARCH|SEARCH NAME|_VARIANT NAME|WEIGHTS NAME FOR NAME) \| ",
        "a section needs braces",
        ("train:\n  batch = 3\n", "data D\n", 'export = "x.onnx"', 'export "x.onnx"'),
        "expected `{{`",
        ("its settings go in braces: `{{ key = value }}`",),
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:sig|decls)(?: _NL)? -> \| ",
        "the output type is missing after `->`",
        ("block A(x: [B]) -> { x }",),
        "expected `[B, ..]` or `(name: [B, ..])`",
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:sig|decls) -> path \| :",
        "named outputs are in parentheses",
        ("model M(x: [B, 8]) -> y: [B, 8] {\n  y = x\n}",),
        "",
        ("write `-> ({last}: [B, ..])`",),
    ),
    Mistake(
        r"BLOCK NAME (?:sig|decls) -> (?:type|outs|shape|decls) \| =",
        "a block with a signature needs a body in braces",
        ("block A(x: [B, 8]) -> [B, 8] = x -> relu",),
        "expected `{{`",
        ("write `{{ x -> relu }}`",),
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:sig|decls|decls decls|\(\))(?: -> (?:outs|type|decls|path|shape|\(\)))?(?: _NL)? \| (?!=)",
        "the body is missing",
        ("model M(x: [B]) -> (y: [B])\n\ntrain { }", "block A(x: [B])\n"),
        "expected `{{`",
        ("start `{{ .. }}` on the line of the signature",),
    ),
    Mistake(
        r"MODEL NAME (?:(?:sig|decls|\(\)) )?\| =",
        "a model needs a body in braces",
        ("model M(x: [B]) = Linear(3) -> relu", "model M = Linear(3)"),
        "expected `{{`",
        ("only a `block` can be written as `block Name = stage -> stage`",),
    ),
    Mistake(
        r"FROM (?:path|NAME|STRING)(?: args)? \| |FROM \| |FROM .* IMPORT .*\| ",
        "an import names a file and what to import from it",
        ("from x\n", 'from "x.dlspec" import *', "from import A"),
        "",
        ('write `from "file.dlspec" import Name, Other as Alias`',),
    ),
    Mistake(
        r"^DLSPEC \| ",
        "the edition must be a number",
        ("dlspec one\n", "dlspec\n"),
        "",
        ("the first line is `dlspec 1`",),
    ),
    Mistake(
        r"\| word:dlspec",
        "`dlspec 1` must be the first line",
        ("param a = 1\ndlspec 1\n",),
        "not the first line",
    ),
    # ---- data --------------------------------------------------------------------------------------------------------
    Mistake(
        r"DATA (?:NAME )?\{ (?:[^{]* )?LET \| \($",
        "a `let` defines one name",
        ("data D {\n  let (image, mask) = (source.first, source.second) -> resize(8)\n}",),
        "not a name",
        ("write `let pair = (source.first, source.second) -> ..`, then `pair.first` and `pair.second`",),
    ),
    Mistake(
        r"DATA (?:NAME )?\{ (?:[^{]* )?(?:_NL|;|\{) \| \($|DATA (?:NAME )?\{ \| \($",
        "a line of `data` begins with a name",
        (
            'data D {\n  source = image_pairs("a", "b")\n  (image, mask) = (source.first, source.second) -> resize(8)\n}',
            'data D {\n  split = all\n("train")\n}',
        ),
        "not a name",
        (
            "two values at once are `let pair = (source.first, source.second) -> ..`, then `pair.first` and `pair.second`",
            "the arguments of an entry follow its name on the same line",
        ),
    ),
    # ---- lists and arguments ---------------------------------------------------------------------------------------
    Mistake(
        r"\( (?:.* )?(?:NAME = )?postfix \| =$",
        "a comma is missing before `{last}`",
        (
            "model M(x: [B]) -> (y: [B]) {\n  y = x -> Linear(10 bias = false)\n}",
            "train {\n  optimizer = AdamW(\n    lr = 1e-3\n    weight_decay = 0.1)\n}",
        ),
        "",
        place="last",
    ),
    Mistake(
        r"[(,] NAME : (?:shape|\[\]) \| name:(?:f16|bf16|f32|f64|i8|i16|i32|i64|u8|bool)$",
        "the dtype is written before the shape",
        ("model M(ids: [B, T] i64) -> (y: [B, T]) {\n  y = ids\n}",),
        "not after it",
        ("for example `ids: i64[B, T]`",),
    ),
    Mistake(
        rf"[(\[] (?:.* )?{VALUE} \| (?:name:|NUMBER|STRING|word:(?:true|false|none|not))",
        "a comma is missing before `{text}`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = f(x y)\n}", "param a = [1 2]", "block A(a: int b: int)(x: [B]) { x }"),
        "expected `,` or a closing bracket",
    ),
    Mistake(
        r"[(\[,] \| ,",
        "nothing before this comma",
        ("param a = [1,, 2]", "param a = f(, 2)"),
        "extra comma",
    ),
    Mistake(
        rf"{IN_BODY} .*pipe \| ,$",
        "stages are joined with `->`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> Linear(8), relu\n}",),
        "not a comma",
        ("write `x -> Linear(8) -> relu`; statements are separated by a newline or `;`",),
    ),
    Mistake(
        r"\{ (?:entry|stmt|setting|.*pipe) \| ,$|(?:entry|stmt|setting|pipe) \| ,$",
        "settings are separated by a newline or `;`",
        ("train { batch = 3, seed = 4 }", "variant big { a = 3, b = 4 }"),
        "not a comma",
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?or_ \| ,$",
        "a fact about sizes starts with `require`",
        ('block A(x: [B, T]) -> [B] {\n  T % 2 == 0, "an even length"\n  x\n}',),
        "",
        ('for example `require T % 2 == 0, "the length must be even"`',),
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?(?:postfix|NAME|pipe) \| ,$",
        "several names are assigned as a list",
        ("block A(x: [B]) -> [B] {\n  a, b = x -> chunk(2)\n  a\n}",),
        "",
        ("write them in brackets: `[a, b] = ..`",),
    ),
    # ---- values ----------------------------------------------------------------------------------------------------
    Mistake(
        r"= \| =|CMP \| =",
        "a value is missing after `{last}`",
        ("train { batch = = 3 }",),
        "expected a value",
    ),
    Mistake(
        rf"(?:=|\+=|~|{OPERATOR}|<-|_REQUIRE|,) \| (?:NL|END|[)\]}}]|,|;)",
        "a value is missing after `{last}`",
        ("train { batch = }", "param a = 1 +\n", "param a = (1 * )"),
        "expected a value",
    ),
    Mistake(
        rf"(?:=|\+=|~|<-|\(|\[|,|{OPERATOR}) \| \{{",
        "braces are not a value",
        ("param a = { b }", "train { optimizer = { lr = 3 } }"),
        "expected a value",
        ("write a list as `[..]`; sub-sections have no `=`: `metrics {{ acc = .. }}`",),
    ),
    Mistake(
        rf"(?:=|\+=|~|\(|\[|,|{OPERATOR}) \| (?:->|MUL|PLUS|CMP|POWER|RANGE|word:(?:and|or)|\.)",
        "a value is missing before `{text}`",
        ("param a = 1 + * 2", "param a = -> relu", "param a = .5"),
        "expected a value",
    ),
    Mistake(
        r"NAME = (?:pipe|NAME|postfix|expr) \| \{",
        "arguments go in parentheses",
        ("train {\n  optimizer = AdamW { lr = 3 }\n}",),
        "braces are for sections and bodies",
        ("write `Name(key = value)`",),
    ),
    Mistake(
        r"= postfix \| =$",
        "only one assignment per line",
        ("model M(x: [B]) -> (y: [B]) {\n  a = y = x\n}", "train { a = b = 3 }"),
        "second `=`",
    ),
    Mistake(
        rf"{IN_SECTION} (?:.*_NL )?NAME \| [}}NE]",
        "`{last}` has no value",
        ("train {\n  batch\n}",),
        "key without a value",
        ("write `{last} = ..`",),
        place="last",
    ),
    Mistake(
        rf"{IN_SECTION} (?:.*_NL )?NAME \| CMP",
        "settings use a single `=`",
        ("train {\n  batch == 3\n}",),
        "this compares",
        ("write `{last} = ..`",),
    ),
    Mistake(
        r"(?:->|=|:) (?:NAME|path) \| (?:NUMBER|name:)",
        "unexpected `{text}` here",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> Linear 8\n}", "model M(x: [B]) -> (y: [B]) {\n  y = abs x\n}"),
        "expected an operator or the end of the line",
        ("arguments are in parentheses, `{last}({text})`; statements are separated by a newline or `;`",),
    ),
    Mistake(
        rf"(?:=|:) {VALUE} \| (?:name:|STRING|NUMBER|word:)|{VALUE} \| (?:name:|STRING|NUMBER|word:)",
        "unexpected `{text}` here",
        ("train { batch = f(3) seed = 4 }", "model M(x: [B]) -> (y: [B]) {\n  y = x z = 3\n}"),
        "expected an operator or the end of the line",
        ("separate statements with a newline or `;`",),
    ),
)


def find(line: str, last: str) -> Mistake | None:
    """The row that describes a place and the token before it."""
    return next(
        (m for m in MISTAKES if re.search(m.pattern, line) and (not m.after or re.fullmatch(m.after, last))), None
    )
