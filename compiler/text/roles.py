"""The roles of tokens in the tree, by their offsets: what `layout` needs in addition to the tokens."""

from __future__ import annotations

from . import syntax as s
from . import top_level
from .node import Node, children


class Roles:
    """Filled by one walk over the tree; all sets hold offsets where a token begins."""

    def __init__(self, file: top_level.File) -> None:
        self.unary: set[int] = set()
        self.tight: set[int] = set()  # brackets that belong to what is before them
        self.slices: list[tuple[int, int]] = []
        self.statements: set[int] = set()  # where statements, entries, settings and items begin
        self.bodies: set[int] = set()  # braces whose content hangs on the statement, not on the line
        self.groups: set[int] = set()  # braces that hold stages
        self.ifs: list[tuple[int, int, int]] = []  # `else` lies between two offsets and belongs to the `if` at a third
        self.second: dict[int, int] = {}  # a second list of declarations, and where the first one begins
        self.lists: set[int] = set()  # brackets that may have a trailing comma
        self.must: set[int] = set()  # .. and that need it: `(x,)`
        self.sections: list[top_level.Entries] = []  # their keys are aligned
        self.end_of_value: dict[int, int] = {}  # of what is indexed, and of the index: its bracket is tight
        self._walk(file)

    def _walk(self, root: Node) -> None:
        stack: list[tuple[Node, int]] = [(root, -1)]  # with the `if` whose chain of `else if` it continues
        while stack:
            node, chain = stack.pop()
            start: int = getattr(node, "span").start  # noqa: B009 - every node but the base class has one
            self._note(node, start)
            owner = -1
            if isinstance(node, (s.IfExpr, s.IfStage, s.If)) and node.orelse is not None:
                owner = chain if chain >= 0 else start
                self.ifs.append((node.then.span.end, node.orelse.span.start, owner))
            for child in children(node):
                continues = owner >= 0 and child is getattr(node, "orelse", None)
                stack.append((child, owner if continues and isinstance(child, (s.IfExpr, s.IfStage, s.If)) else -1))

    def _note(self, node: Node, start: int) -> None:
        match node:
            case s.Unary():
                self.unary.add(start)
            case s.Index():
                self.end_of_value[node.value.span.end] = node.span.end
            case s.Slice():
                self.slices.append((start, node.span.end))
            case s.Call() | s.Apply() if node.args is not None:
                self.tight.add(node.args.span.start)
            case s.Type():
                part = node.args or node.shape
                if node.name is not None and part is not None:
                    self.tight.add(part.span.start)
            case top_level.Block() | top_level.Model():
                self.tight |= {decls.span.start for decls in node.signature}
                if len(node.signature) == 2:
                    self.second[node.signature[1].span.start] = node.signature[0].span.start
            case top_level.BlockSeq() if node.statics is not None:
                self.tight.add(node.statics.span.start)
            case s.Body():
                self.bodies.add(start)
                self.statements |= {statement.span.start for statement in node.statements}
            case top_level.Entries():
                self.sections.append(node)
                self.bodies.add(start)
                self.statements |= {entry.span.start for entry in node.items}
            case top_level.Variant():
                self.statements |= {setting.span.start for setting in node.settings}
            case s.Group():
                self.groups.add(start)
            case top_level.File():
                self.statements |= {item.span.start for item in node.items}
            case _:
                pass
        if isinstance(node, (s.Args, s.List, s.Tuple, s.Shape, s.Decls)) and node.items:
            self.lists.add(start)
            if isinstance(node, s.Tuple) and len(node.items) == 1:
                self.must.add(start)
