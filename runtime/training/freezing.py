"""Which parameters get gradients: `freeze` stops them, and with them the batch statistics; a net that is frozen whole is in
evaluation mode. `only` stops those of the nets that an update does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ...compiler.catalogue.clock import Clock
from ...compiler.ir.expand import ParameterEntry, selects
from ...compiler.ir.train import Freeze, Phase
from ..generated.functions import Program


def _matches(freeze: Freeze, path: str, entry: ParameterEntry) -> bool:
    return any(selects(s, path, entry.layer, entry.leaf, len(entry.shape)) for s in freeze.selectors)


class Freezing:
    """The frozen parameters of a phase, as a function of its step."""

    def __init__(self, program: Program, entries: Mapping[str, ParameterEntry], phase: Phase, clock: Clock) -> None:
        self.program = program
        self.until: dict[str, int] = {}  # path -> the step from which it moves again
        for freeze in phase.freeze:
            end = 2**62 if freeze.until is None else clock.steps(freeze.until)
            for path, entry in entries.items():
                if _matches(freeze, path, entry):
                    self.until[path] = max(end, self.until.get(path, 0))
        self._changes = {step for step in self.until.values() if step < 2**62}

    def changes(self, step: int) -> bool:
        """Whether something thaws at this step."""
        return step in self._changes

    def apply(self, step: int) -> None:
        frozen = {path for path, until in self.until.items() if step < until}
        for name, net in self.program.nets.items():
            prefix = f"{name}." if name else ""
            parameters = {prefix + path: p for path, p in net.named_parameters()}
            for path, parameter in parameters.items():
                parameter.requires_grad_(path not in frozen)
            whole = bool(parameters) and all(path in frozen for path in parameters)
            net.train(not whole)
            if whole:
                continue
            for path, module in net.named_modules():
                own = [
                    f"{prefix}{path}.{leaf}" if path else prefix + leaf
                    for leaf, _ in module.named_parameters(recurse=False)
                ]
                if own and isinstance(module, nn.modules.batchnorm._BatchNorm) and all(p in frozen for p in own):
                    module.eval()


class only:
    """Gradients go to these parameters only; the other nets keep their running statistics."""

    def __init__(self, program: Program, parameters: Sequence[Tensor], nets: Sequence[str]) -> None:
        chosen = {id(parameter) for parameter in parameters}
        self.others = [
            p for net in program.nets.values() for p in net.parameters() if id(p) not in chosen and p.requires_grad
        ]
        self.norms = [
            module
            for name, net in program.nets.items()
            if name not in nets
            for module in net.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        ]

    def __enter__(self) -> None:
        for parameter in self.others:
            parameter.requires_grad_(False)
        for norm in self.norms:
            norm.track_running_stats = False

    def __exit__(self, *exception: object) -> None:
        for parameter in self.others:
            parameter.requires_grad_(True)
        for norm in self.norms:
            norm.track_running_stats = True
