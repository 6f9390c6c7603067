"""Common syntax mistakes, each with a message, a fix and programs that make it.

The parser describes where it stopped as a line such as

    TRAIN { entry _NL NAME : | NUMBER

what was read and not yet reduced, a bar, what came next. Terminals that are symbols appear as themselves, `()` and
`[]` are brackets already closed; after the bar `word:if` is a keyword, `name:x` a name, `NL` the end of a line, `END`
that of the text. The first row whose pattern is found in that line gives the message. Fields of the templates: `{text}` what came
next, `{last}` the token before it, `{key}` what is before the place, `{value}` the rest of the line after it,
`{flow}` the pipeline before it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# something that could be the end of a value
VALUE = (
    r"(?:NAME|NUMBER|STRING|TRUE|FALSE|NONE|\.\.\.|\(\)|\[\]|\}|atom|postfix|power|unary|term|sum|range|cmp|not_|and_|or_"
    r"|expr|pipe|arg|path|args|shape|unit|stage|group|seq|type|decl)"
)
OPERATOR = r"(?:PLUS|MINUS|MUL|CMP|POWER|RANGE|AND|OR|NOT)"
IN_BODY = r"(?:MODEL|BLOCK) NAME (?:sig|decls)(?: -> outs)? \{(?:[^{]* IF or_ (?:body ELSE )?\{)*"
IN_SECTION = r"(?:DATA|TRAIN|EXPORT|SEARCH|WEIGHTS) (?:NAME )?(?:FOR NAME )?\{"
FIRST_IN = r"(?:[^{]* _NL)?"  # between the brace and the statement


class Mistake(NamedTuple):
    pattern: str
    message: str
    examples: tuple[str, ...]
    label: str = ""
    helps: tuple[str, ...] = ()
    place: str = ""  # the symbol under the caret, as in the line, or `last`; default: what came next
    after: str = ""  # pattern of the token before; default: any
    code: str = "E0101"


MISTAKES: tuple[Mistake, ...] = (
    # ---- habits of other notations -----------------------------------------------------------------------------
    Mistake(
        rf"{IN_SECTION} .*(?:\{{|_NL) NAME : (?:path |path args )?\| (?!name:)|{IN_SECTION} NAME : (?:path |path args )?\| (?!name:)",
        "settings are written `key = value`",
        ("train {\n  batch: 128\n}", "train {\n  optimizer: Adam(1e-3)\n}", 'export { onnx: "x.onnx" }'),
        "`:` is not used for settings",
        ("write `{key} = {value}`; `name: ..` is only for layers and data fields",),
        place=":",
    ),
    Mistake(
        r"^DATA NAME \{ .*NAME : (?:shape|path shape|path args|path) \| ",
        "the field `{key}` has a type but no value",
        ("data D {\n  image: f32[3, 8, 8]\n}",),
        "no value",
        ("for example `{key}: {value} = source.{key} -> ..`",),
        place=":",
    ),
    Mistake(
        r"(?:_VARIANT NAME \{ .*|_SET )path \| :",
        "settings are written `key = value`",
        ("variant big { width: 64 }", "set train.batch: 3"),
        "`:` is not used for settings",
        ("write `{last} = ..`",),
    ),
    Mistake(
        r"\( (?:.* )?postfix : \| (?!name:|\[|\{|word:)",
        "arguments are written `name = value`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> dropout(p: 0.1)\n}", "train { optimizer = Adam(lr: 1e-3) }"),
        "`:` is not used for arguments",
        ("write `{key} = {text}`",),
        place=":",
    ),
    Mistake(
        rf"{IN_BODY} .*postfix : \| (?:NUMBER|STRING)",
        "a label goes before a layer, not before a value",
        ("model M(x: [B]) -> (y: [B]) {\n  width: 128\n  y = x\n}",),
        "a label",
        ("to name a value, write `{key} = {value}`",),
        place=":",
    ),
    Mistake(
        r"NAME \| name:|NAME \| STRING|NAME \| NUMBER|NAME \| \(",
        "there is no `return`",
        ("block A(x: [B]) -> [B] {\n  return x\n}",),
        "not a statement",
        ("the last expression of a body is its result; named outputs are assigned: `y = ..`",),
        place="last",
        after="return",
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?NAME \| name:",
        "`for` is a stage, not a statement",
        ("block A(x: [B]) -> [B] {\n  for i in 0..3 { Linear(8) }\n}",),
        "not a statement",
        ("write `x = x -> for i in 0..n {{ .. }}`, or `repeat n {{ .. }}`",),
        place="last",
        after="for",
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?(?:NAME|postfix) (?:\(\) )?\| ",
        "`{last}` is a stage, not a statement",
        ("block A(x: [B]) -> [B] {\n  repeat 3 { Linear(8) }\n}",),
        "not a statement",
        ("write `x = x -> {last} .. {{ .. }}`",),
        place="last",
        after="repeat",
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?postfix \(\) \| word:in",
        "`for` is a stage, not a statement",
        ("block A(x: [B]) -> [B] {\n  for (i, j) in [(1, 2)] { Linear(i) }\n}",),
        "not a statement",
        ("write `x = x -> for (a, b) in [..] {{ .. }}`",),
        place="postfix",
    ),
    Mistake(
        rf"{VALUE} \| word:if",
        "a choice is written `if c {{ a }} else {{ b }}`",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x if training else 0\n}",),
        "not allowed after a value",
    ),
    Mistake(
        r"\| ",
        "a choice is written `if c {{ a }} else {{ b }}`",
        ("train { batch = 3 if big else 4 }",),
        "not allowed after a value",
        place="last",
        after="if",
    ),
    Mistake(
        r"IF (?:NAME|or_|postfix|cmp|range|sum|expr) \| =$",
        "`=` does not compare",
        (
            "model M(n = 3)(x: [B]) -> (y: [B]) {\n  y = if n = 3 { x } else { -x }\n}",
            "data D {\n  image: f32[3] = source.image -> if n = 3 { a }\n}",
        ),
        "assigns a value",
        ("compare with `==`",),
    ),
    Mistake(
        r"_REQUIRE (?:expr|or_|postfix|NAME) \| =$",
        "`=` does not compare",
        ("model M(x: [B, D]) -> (y: [B]) {\n  require D = 8\n  y = x\n}",),
        "assigns a value",
        ("compare with `==`",),
    ),
    Mistake(
        r"\b(?:sum|term|postfix|power) (?:MINUS|MUL|POWER) \| =$",
        "`{last}=` is not in the language",
        ("block A(x: [B]) -> [B] {\n  x -= 3\n  x\n}", "block A(x: [B]) -> [B] {\n  x *= 3\n  x\n}"),
        "only `+=` is",
        ("write `x = x {last} ..`",),
    ),
    Mistake(
        r"\| =>",
        "`=>` only rearranges shapes",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x => relu\n}",),
        "expected `->`",
        ("write `->`; `=>` rearranges axes, as in `[B, T] => [T, B]`",),
    ),
    Mistake(
        rf"\[ (?:.* )?{VALUE} \| word:for",
        "there are no comprehensions",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> for n in [2 * i for i in 0..3] { Linear(n) }\n}",),
        "not in a list",
        ("write the list out, or compute in the body of `for`",),
    ),
    Mistake(
        r"\[ (?:.* )?:.* \| :",
        "a slice has no step",
        ("block A(x: [B, T]) -> [B] {\n  x[::2]\n}", "block A(x: [B, T]) -> [B] {\n  x[0:8:2]\n}"),
        "second `:`",
        ("write `start:stop`",),
    ),
    Mistake(
        r"range CMP range \| CMP",
        "comparisons do not chain",
        ("model M(n = 3)(x: [B]) -> (y: [B]) {\n  require 0 < n < 9\n  y = x\n}",),
        "second comparison",
        ("write `a < b and b < c`",),
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:\(\)|sig|decls)(?: -> (?:\(\)|outs|decls|shape|type))? \| :",
        "a body needs braces",
        ("model M(x: [B]) -> (y: [B]):\n  y = x\n", "block A(x: [B]):\n  x\n"),
        "expected `{{`",
        ("write `{{ .. }}`",),
    ),
    Mistake(
        r"(?:\{|_NL) STRING \| [:=]",
        "names are not quoted",
        ('train {\n  "batch" = 3\n}', 'train { "batch": 3 }'),
        "quoted name",
        ('write `key = value`; `"ours" <- "theirs"` is a rule of a weight map',),
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?(?:or_ |(?:[a-z_]+ {OPERATOR}|pipe ->) [^{{]*)\| =$",
        "this cannot be assigned to",
        (
            "block A(x: [B]) -> [B] {\n  a + b = x\n  a\n}",
            "block A(x: [B]) -> [B] {\n  x -> relu = y\n  y\n}",
        ),
        "not after a name",
        ("the left side must be a name, or a list of names as in `[q, k, v] = ..`",),
        code="E0103",
    ),
    Mistake(
        rf"{IN_SECTION} (?:.*(?:_NL|\{{) )?NAME (?:NAME|postfix|expr) \| =$",
        "a key is a single word",
        ("train {\n  learning rate = 3\n}", "train {\n  metrics acc = f(a)\n}"),
        "expected `{{` or the end of the line",
        ("write `name = value`; settings of a sub-section go in braces: `metrics {{ acc = .. }}`",),
    ),
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
        r"-> (?:path : )?path args \. NAME \| \.|-> (?:path : )?path args \. \| ",
        "a stage selects a single output",
        ("model M(x: [B]) -> (y: [B]) {\n  y = x -> LSTM(8).h.c\n}",),
        "",
        ("bind the result: `r = x -> LSTM(8)`, then `r.h`",),
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
        ("several stages are grouped with braces: `-> {{ a -> b }}`",),
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
        r"^(?:OVERRIDE )?MODEL NAME \| ",
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
        ("train:\n  batch = 3\n", "data D\n", 'export = "x.onnx"'),
        "expected `{{`",
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:sig|decls)(?: _NL)? -> \| ",
        "the output type is missing after `->`",
        ("block A(x: [B]) -> { x }",),
        "expected `[B, ..]` or `(name: [B, ..])`",
    ),
    Mistake(
        r"(?:MODEL|BLOCK) NAME (?:sig|decls|decls decls|\(\))(?: -> (?:outs|type|decls|path|shape|\(\)))?(?: _NL)? \| (?!=)",
        "the body is missing",
        ("model M(x: [B]) -> (y: [B])\n\ntrain { }", "block A(x: [B])\n"),
        "expected `{{`",
        ("start `{{ .. }}` on the line of the signature",),
    ),
    Mistake(
        r"MODEL NAME (?:sig|decls|\(\)) \| =",
        "a model needs a body in braces",
        ("model M(x: [B]) = Linear(3) -> relu",),
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
        r"\{ (?:entry|stmt|setting|.*pipe) \| ,$|(?:entry|stmt|setting|pipe) \| ,$",
        "settings are separated by a newline or `;`",
        ("train { batch = 3, seed = 4 }", "variant big { a = 3, b = 4 }"),
        "not a comma",
    ),
    Mistake(
        rf"{IN_BODY} {FIRST_IN} ?(?:postfix|NAME|pipe) \| ,$",
        "several names are assigned as a list",
        ("block A(x: [B]) -> [B] {\n  a, b = x -> chunk(2)\n  a\n}",),
        "",
        ("write `[a, b] = ..`",),
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
