"""One class a block: groups bodies, writes each class once, and names them in order of use.

Bodies of one block that are equal up to numbers share a class; what differs becomes an argument of its constructor:

    down1: Down(2 * width) .. down2: Down(4 * width)        the spec, with width = 64
    body 3 "Down" (x: [B, 64, H, W]), body 5 "Down" ..      the IR: a body for each distinct use
    self.down1 = Down(64, 128)                              the source
    self.down2 = Down(128, 256)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...compiler.ir.model import AnyNode, Body, CallNode, Model, OpNode, Spec
from ...compiler.messages.source import Span
from ...compiler.sizes.facts import Facts
from .arguments import axis_name, fixed, input_sizes, letters_of, spelled, statics
from .authored import Authored
from .bodies import regions_of
from .chains import Builders
from .class_names import ordered
from .clusters import clusters
from .constants import ClassNumber, Constants, Symbolic, Varies, free
from .constructor import constructor_lines, with_table
from .definition import CLASS_MARK, Class, ClassDefinition
from .expressions import KnownNames
from .fitting import Absent
from .functions import is_plain, modules
from .group import BodyGroup, node_form, structure
from .initial import InitialValues
from .lines import Line
from .members import ClassBody, Members
from .optional import Part, Residual, filled
from .python import Expr, identifier, snake, unique
from .regions import Forward
from .requirements import require
from .scopes import Scopes
from .shared_tables import ClassTables, SharedTables, made
from .sizes import Sizes
from .slots import RESERVED, Slot
from .statements import Called
from .tables import cut_positions
from .variables import Region


class Classes:
    """All classes of a model."""

    def __init__(
        self,
        spec: Spec,
        model: Model,
        outputs: Sequence[tuple[str, int]],
        emits: Sequence[str] = (),
        others: Sequence[Model] = (),
        authored: Authored | None = None,
    ) -> None:
        self.authored = authored or Authored(spec)
        root = model.body
        self.models = (model, *others)
        self.clusters = clusters(spec, root, [other.body for other in others])
        self.spec, self.root, self.outputs, self.emits = spec, root, tuple(outputs), tuple(emits)
        # What is known about a symbolic size, whatever the statics are.
        bounds = {name: _widest([other.bounds[name] for other in self.models]) for name in model.bounds}
        self.facts = Facts(model.divisors, bounds)
        self._emitting: dict[int, tuple[str, ...]] = {}
        self.classes: list[Class] = []
        self.by_body: dict[int, Class] = {}
        #: By body that lacks parts of its class: the parts, and the body with them filled in.
        self.filled: dict[int, tuple[frozenset[Part], Body]] = {}
        self._uses: list[int] = []  # classes constructed by the one being written
        self._sizes = Sizes([], [], [])
        self._shared = SharedTables(spec, self.models)
        self._tables = ClassTables(self._shared, [root])  # of the class being written
        self._modules = modules(spec, root)
        roots = [model.body for model in self.models]
        for members in Members(spec, roots).levels():
            self._write_level(members)
        if len({self.by_body[index].number for index in roots}) > 1:
            raise Varies

    def emitting(self, index: int) -> tuple[str, ...]:
        """The wanted `emit` names that applying a body gives values for: its `forward` takes a list for each."""
        if not self.emits:
            return ()
        if index not in self._emitting:
            body = self.spec.bodies[index]
            found = {result.name for result in body.emits}
            for node in body.nodes:
                for inner in regions_of(node):
                    found.update(self.emitting(inner))
            self._emitting[index] = tuple(name for name in self.emits if name in found)
        return self._emitting[index]

    def _write_level(self, members: Sequence[ClassBody]) -> None:
        groups = self._alike(members, activations=False)
        while groups:
            group = groups.pop(0)
            alike = [other for other in groups if (other[0].name, other[0].strip) == (group[0].name, group[0].strip)]
            merged = self._merged([group, *alike]) if alike else []
            groups = [other for other in groups if other not in merged]
            if group not in merged:
                self._share(group, lambda group: self._alike(group, activations=True))

    def _merged(self, groups: Sequence[list[ClassBody]]) -> list[list[ClassBody]]:
        """Writes one class for groups that lack parts of one of them; those groups, or none where it can't be."""
        for full in sorted(groups, key=lambda group: -len(self.spec.bodies[group[0].index].nodes)):
            fitting = [other for other in groups if other is not full and self._fills(full, other)]
            for lacking in (fitting, *([other] for other in fitting if len(fitting) > 1)):
                if not lacking:
                    continue
                kept, self.filled = self.filled, {**self.filled}
                for other in (other for other in fitting if other not in lacking):
                    for member in other:
                        del self.filled[member.index]
                try:
                    self._write([*full, *(member for other in lacking for member in other)])
                except (Varies, Symbolic):
                    self.filled = kept
                else:
                    return [full, *lacking]
            for member in (member for other in fitting for member in other):
                del self.filled[member.index]
        return []

    def _fills(self, full: list[ClassBody], lacking: list[ClassBody]) -> bool:
        """Whether all of a group lack the same parts of another one, and nothing else; records the parts in `filled`."""
        whole = self.spec.bodies[full[0].index]

        forms: dict[int, Any] = {}  # of the nodes of `whole`, computed once for all members

        def same(a: AnyNode, b: AnyNode) -> bool:
            if id(a) not in forms:
                forms[id(a)] = node_form(self.spec, a, self.number_of)
            return forms[id(a)] == node_form(self.spec, b, self.number_of)

        form = structure(self.spec, whole, self.number_of, activations=False)
        found: dict[int, tuple[frozenset[Part], Body]] = {}
        for member in lacking:
            one = filled(whole, self.spec.bodies[member.index], same)
            if one is None or structure(self.spec, one[1], self.number_of, activations=False) != form:
                return False
            found[member.index] = one
        if len({parts for parts, _ in found.values()}) > 1:
            return False
        self.filled |= found
        return True

    def number_of(self, body: int) -> int:
        """The class of a body, as something to compare."""
        return self.by_body[int(body)].number

    def _alike(self, members: Sequence[ClassBody], *, activations: bool) -> list[list[ClassBody]]:
        """Members that may share a class; without `activations` those too that differ in one."""
        groups: dict[Any, list[ClassBody]] = {}
        for member in members:
            body = self.spec.bodies[member.index]
            form = structure(self.spec, body, self.number_of, activations=activations)
            groups.setdefault((member.name, member.strip, form), []).append(member)
        return list(groups.values())

    def _share(self, group: list[ClassBody], split: Callable[[list[ClassBody]], list[list[ClassBody]]] | None) -> None:
        """Writes one class, or where the members differ in too much one for each part of them, at last for each."""
        try:
            self._write(group)
        except (Varies, Symbolic):
            parts = split(group) if split is not None else []
            if len(parts) < 2:
                parts = self._apart(group)
            if len(parts) < 2:
                raise
            for part in parts:
                self._share(part, None)

    def _apart(self, group: list[ClassBody]) -> list[list[ClassBody]]:
        """Each member with what it becomes in the models of other sizes."""
        found: dict[int, list[ClassBody]] = {}
        for member in group:
            found.setdefault(self.clusters.get(member.index, member.index), []).append(member)
        return list(found.values())

    # ---- one class -------------------------------------------------------------------------------------------------

    def _write(self, members: Sequence[ClassBody]) -> None:
        added = [self.filled.get(m.index) for m in members]
        bodies = [self.spec.bodies[m.index] if a is None else a[1] for m, a in zip(members, added, strict=True)]
        constants = Constants(len(bodies))
        optional: dict[str, ClassNumber] = {}
        residuals: dict[Residual, ClassNumber] = {}
        for part in dict.fromkeys(part for a in added if a is not None for part in sorted(a[0], key=repr)):
            switch = ClassNumber(tuple(a is None or part not in a[0] for a in added), constants)
            if isinstance(part, Residual):
                constants.hints.setdefault(switch.values, "residual")
                residuals[part] = switch
            else:
                constants.hints.setdefault(switch.values, _called(part, bodies[0], self.spec))
                optional[part] = switch
        group = BodyGroup(self.spec, bodies, constants, self.facts)
        body = bodies[0]
        constants.statics = statics(bodies)
        root = members[0].index == self.root
        constants.sizes = {} if root else input_sizes(bodies, constants.statics, self._signature(body))
        constants.closed = root
        for letter, sizes in letters_of(group).items():
            constants.roles.setdefault(sizes, axis_name(letter))
        constants.spelled = self.authored.computed
        constants.definition = self.authored.definition(members[0].name)
        known = spelled(bodies, constants.statics, constants.sizes)
        constants.scope = KnownNames.of(constants.definition, known, len(bodies))
        for written in constants.scope.expressions(constants.definition):
            constants.written.setdefault(written.values, written)
        constants.literals = [*fixed(bodies), *(n for n in self.spec.params.values() if type(n) is int)]
        self._uses = []
        self._tables = ClassTables(self._shared, [m.index for m in members])
        taken = {*RESERVED, *constants.statics, *constants.sizes}
        taken |= {instance.path.split(".")[0] for instance in body.instances}
        attributes: dict[Residual, str] = {}
        for residual in residuals:
            attributes[residual] = unique("residual", taken)
            taken.add(attributes[residual])
        builders = Builders(self.construct, self.tree, self.number_of, self.emitting, self.is_function)
        scopes = Scopes(group, builders, members[0].strip, optional, attributes)
        cls = Class(len(self.classes), members[0].name, tuple(m.index for m in members), [], scopes, uses=self._uses)
        if cls.scopes.root.kind in ("sequential", "dict"):
            cls.base = "nn.Sequential" if cls.scopes.whole is not None else "nn.ModuleDict"
        forward = [] if cls.scopes.whole is not None else self._forward(cls, group, body)
        constructor = constructor_lines(cls.scopes.root, cls.base)
        cls.is_function = not root and self._owns_nothing(members, group) and is_plain(forward)
        constructor[1:1] = [Line(f"self.{name} = {residuals[which]}", 1) for which, name in attributes.items()]
        cls.tables = [t for t in self._tables.given.values() if any(t.mark in line.text for line in constructor)]
        for table in reversed(cls.tables) if root else ():
            source = made(self._tables.single[table.kind], group)
            constructor = with_table(constructor, table, source, cls.base)
        if root:
            source = "\n".join(line.text for other in self.classes for line in other.lines)
            source += "\n".join(line.text for line in constructor)
            initial = InitialValues(self.spec, self.models)
            methods = initial.lines(constants, lambda path: cls.scopes.access("self", path), source)
            if methods:
                constructor.append(Line("self.init_weights()", 1))
                forward = [*methods, *([Line("")] if forward else []), *forward]
        each = [self.spec.bodies[index].statics for index in cls.bodies]
        declared = self.authored.defaults(cls.base_name)
        ClassDefinition(cls, constants, constructor, forward, self._sizes, root, each, declared, self.classes).write()
        self.classes.append(cls)
        for member in members:
            self.by_body[member.index] = cls

    def _signature(self, body: Body) -> list[tuple[str, ...]]:
        """Letters of the axes of the inputs, as the signature gives them."""
        axes = self.authored.axes(body.name) if body.role in ("model", "block") else {}
        return [axes.get(value.name or "", ()) for value in body.inputs]

    def _forward(self, cls: Class, group: BodyGroup, body: Body) -> list[Line]:
        taken: list[str] = []
        for value in body.inputs:
            taken.append(identifier(value.name or "x", taken))
        instances: dict[str, str] = {}
        for name in body.instance_inputs:
            instances[name] = identifier(name, [*taken, *instances.values()])
        root = cls.bodies[0] == self.root
        emits = {name: identifier(name, [*taken, *instances.values()]) for name in self.emitting(cls.bodies[0])}
        letters = letters_of(group)
        tensors = [group.tensor([b.inputs[at].type for b in group.bodies]) for at in range(len(body.inputs))]
        sizes = Sizes.of([(n, t.sizes) for n, t in zip(taken, tensors, strict=True)], letters, self._signature(body))
        writer = Forward(cls.scopes, sizes, {*instances.values(), *emits.values()}, self.emitting, emits, self.function)
        writer.shared = self._tables
        if root:
            known = {model.body: model.bounds for model in self.models}
            writer.bounds = dict(cut_positions(group, {at: known[index] for at, index in enumerate(cls.bodies)}))

        def locate(path: str) -> str:
            if path.startswith("@"):
                name, _, rest = path[1:].partition(".")
                text = instances[name]
                for segment in rest.split(".") if rest else ():
                    text += f"[{segment}]" if segment.isdigit() else f".{segment}"
                return text
            return cls.scopes.access("self", path)

        region = Region(group, locate)
        for value, name, tensor in zip(body.inputs, taken, tensors, strict=True):
            region.env[value.id] = Expr(name, names=frozenset((name,)))
            writer.shown[name] = tensor.sizes
        outputs = self.outputs if root else [(r.name, r.value) for r in body.outputs]
        several = root and len(outputs) + len(self.emits) > 1
        require(writer, region, list(zip(*(b.requirements for b in group.bodies), strict=True)))
        checks, writer.lines = writer.lines, []
        found = writer.run(region, [value for _, value in outputs])
        shape = writer.type(region, outputs[0][1]).sizes
        if several:
            fields = [f"{identifier(name)}={e.text}" for (name, _), e in zip(outputs, found, strict=True)]
            fields += [f"{identifier(name)}=torch.stack({emits[name]})" for name in self.emits]
            writer.add(f"return Outputs({', '.join(fields)})")
        else:
            known = any(writer.shown.get(n) == shape for n in found[0].names)
            writer.add(f"return {', '.join(e.text for e in found)}", shape if len(found) == 1 and not known else None)
        head = [Line(text) for text in sizes.head()]
        if root:
            head += [Line(f"{name}: list[Tensor] = []") for name in emits.values()]
        arguments = [f"{name}: Tensor" for name in taken]
        arguments += [f"{name}: nn.Module" for name in instances.values()]
        arguments += [] if root else [f"{name}: list[Tensor]" for name in emits.values()]
        result = (
            "Outputs"
            if several
            else "Tensor"
            if len(outputs) == 1
            else f"tuple[{', '.join(['Tensor'] * len(outputs))}]"
        )
        signature = Line(
            f"def forward(self, {', '.join(arguments)}) -> {result}:",
            shapes=[tensor.sizes for tensor in tensors],
            names=taken if len(taken) > 1 else [""],
        )
        self._sizes = sizes
        return [signature, *(_indented(line) for line in (*head, *checks, *writer.lines))]

    def _owns_nothing(self, members: Sequence[ClassBody], group: BodyGroup) -> bool:
        """Whether a block may be a function, judged by its signature and its parts."""
        first = group.first
        return (
            first.role == "block"
            and not first.instance_inputs
            and all(i.body is not None and self.is_function(i.body) for b in group.bodies for i in b.instances)
            and not any(m.strip or m.index in self._modules or self.emitting(m.index) for m in members)
        )

    def is_function(self, body: int) -> bool:
        return self.by_body[body].is_function

    def function(self, bodies: Sequence[int], group: BodyGroup) -> Called | None:
        """How the function of these bodies is called, one for each body of the group; None when they have a class."""
        cls = self.by_body[bodies[0]]
        if any(self.by_body[index] is not cls for index in bodies):
            raise Varies
        if not cls.is_function:
            return None
        self._uses.append(cls.number)
        return cls.mark, list(self._arguments(cls, bodies, group))

    # ---- what the class asks for while it is written -----------------------------------------------------------------

    def tree(self, body: int) -> Slot:
        """Where the layers of the class of a body live."""
        return self.by_body[body].scopes.root

    def construct(self, bodies: Sequence[int], group: BodyGroup, span: Span) -> str:
        """The constructor call of the class of these bodies, one for each body of the group, at a place of the spec."""
        cls = self.by_body[int(bodies[0])]
        if any(self.by_body[int(index)] is not cls for index in bodies):
            raise Varies
        self._uses.append(cls.number)
        first = {parameter.name for parameter in cls.parameters[:2] if parameter.name not in cls.defaults}
        names = list(self.spec.bodies[bodies[0]].statics)
        given = group.as_written(span, dict(self._arguments(cls, bodies, group)), names)
        arguments = [str(number) if name in first else f"{name}={number}" for name, number in given.items()]
        for table in cls.tables:
            source = self._tables.of_blocks(table.kind, bodies, group)
            arguments += [] if source is None else [f"{table.name}={source}"]
        return f"{cls.mark}({', '.join(arguments)})"

    def _arguments(self, cls: Class, bodies: Sequence[int], group: BodyGroup) -> Iterator[tuple[str, ClassNumber]]:
        """The numbers that a use of a class gives, except defaults."""
        places = [cls.bodies.index(int(index)) for index in bodies]
        for parameter in cls.parameters:
            values = [parameter.values[place] for place in places]
            free_ = (isinstance(index, Absent) for index in bodies)
            number = group.number([free(v) if absent else v for v, absent in zip(values, free_, strict=True)])
            default = cls.defaults.get(parameter.name)
            if default is not None and number.is_(default):
                continue
            if not number.same:
                group.constants.hints.setdefault(number.values, parameter.name)
            yield parameter.name, number

    # ---- names and order -------------------------------------------------------------------------------------------

    def ordered(self) -> list[Class]:
        """Classes in order of use, each after those it uses; named on the way."""
        return ordered(self.classes, self.by_body[self.root], self.spec)

    def named(self, text: str) -> str:
        """A text with the names of classes for their markers."""
        by_number = {cls.number: cls for cls in self.classes}
        return CLASS_MARK.sub(lambda match: by_number[int(match[1])].name, text)


def _widest(bounds: Sequence[tuple[int, int | None]]) -> tuple[int, int | None]:
    """What holds at every size of a model: no upper bound where it follows from an argument."""
    return min(low for low, _ in bounds), bounds[0][1] if len(set(bounds)) == 1 else None


def _called(path: str, body: Body, spec: Spec) -> str:
    """The usual name of a part that may be absent: its own label; for a numbered stage, its layer or block."""
    name = path.split(".")[-1]
    if not name.isdigit():
        return identifier(name)
    nodes = [node for node in body.nodes if isinstance(node, (OpNode, CallNode))]
    places = [node.instance or (node.path if isinstance(node, OpNode) else "") or "" for node in nodes]
    node = next(node for node, place in zip(nodes, places, strict=True) if f"{place}.".startswith(f"{path}."))
    return identifier(snake(node.op if isinstance(node, OpNode) else spec.bodies[node.body].name))


def _indented(line: Line) -> Line:
    return Line(line.text, line.indent + 1, line.shapes, line.names)


__all__ = ["Class", "Classes"]
