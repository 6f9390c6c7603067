"""What a row about a syntax mistake is, and the patterns that rows share.

The parser describes where it stopped as a line such as

    TRAIN { entry _NL NAME : | NUMBER

what was read and not yet reduced, a bar, what came next. Terminals that are symbols appear as themselves, `()` and
`[]` are brackets already closed; after the bar `word:if` is a keyword, `name:x` a name, `NL` the end of a line, `END`
that of the text. The first row whose pattern is found in that line gives the message. Fields of the templates: `{text}` what came
next, `{last}` the token before it, `{key}` what is before the place, `{value}` the rest of the line after it,
`{flow}` the pipeline before it.
"""

from __future__ import annotations

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
