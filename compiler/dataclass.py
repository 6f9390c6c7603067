"""`dataclass` as in the standard library, made in a tenth of the time: its `__init__` is compiled when an object of the class is first made.

The standard one compiles six functions for each class, about 1 ms, and a start of `dlc` defines two hundred classes of which
most make no object. Here equality, hash and repr are one function each for all classes, and the fields are the standard ones, so that
`fields`, `replace` and `asdict` work. What nothing needs is left out: `order`, `slots`, `InitVar`; a class below a frozen one is frozen.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass, field
else:
    import dataclasses
    from dataclasses import MISSING, field, fields

    def dataclass(cls=None, /, *, frozen=False, eq=True, kw_only=False):
        def made(cls):
            return _made(cls, frozen, eq, kw_only)

        return made if cls is None else made(cls)

    def _made(cls, frozen, eq, kw_only):
        cls.__doc__ = cls.__doc__ or cls.__name__  # the standard one writes a signature there
        own = frozenset(cls.__dict__)
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)

        def __init__(self, *args, **values):
            cls.__init__ = _init(cls, frozen)
            cls.__init__(self, *args, **values)

        methods = {"__init__": __init__, "__repr__": _repr}
        if frozen:
            methods |= {"__setattr__": _frozen, "__delattr__": _frozen}
        if eq:
            compared = [each.name for each in fields(cls) if each.compare]
            values = attrgetter(*compared) if compared else lambda self: ()

            def __eq__(self, other):
                return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

            def __hash__(self):
                return hash(values(self))

            methods |= {"__eq__": __eq__, "__hash__": __hash__ if frozen else None}
        for name, method in methods.items():
            if name not in own or (name == "__hash__" and cls.__hash__ is None):
                setattr(cls, name, method)
        return cls

    def _init(cls, frozen):
        """The `__init__` of a class, from its fields."""
        known = {"MISSING": MISSING, "assign": object.__setattr__}
        positional, named, lines = ["self"], [], []
        for each in fields(cls):
            name, value = each.name, each.name
            if each.default_factory is not MISSING:
                known[f"make_{name}"] = each.default_factory
                value = f"make_{name}() if {name} is MISSING else {name}" if each.init else f"make_{name}()"
            elif not each.init:
                continue
            lines.append(f"assign(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
            if each.init:
                default = ""
                if each.default_factory is not MISSING:
                    default = "=MISSING"
                elif each.default is not MISSING:
                    known[f"default_{name}"] = each.default
                    default = f"=default_{name}"
                (named if each.kw_only else positional).append(name + default)
        lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
        arguments = ", ".join([*positional, *(["*"] if named else []), *named])
        code = "\n  ".join([f"def __init__({arguments}):", *(lines or ["pass"])])
        exec(compile(code, f"<_dlc_generated_init_of_{cls.__qualname__}>", "exec"), known)  # noqa: S102 - names of fields in this package only
        found = known["__init__"]
        found.__qualname__ = f"{cls.__qualname__}.__init__"
        return found

    def _repr(self):
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _frozen(self, name, *_):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


__all__ = ["dataclass", "field"]
