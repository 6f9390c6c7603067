"""Torch's kernels over lists of tensors, and Adam, AdamW and SGD by the fused ones among them.

`torch.optim` calls the same kernels, under names that it keeps private. Around them it runs hooks, sorts parameters by device
and dtype and checks for graph capture at every step, and at its first step it imports the compiler (`torch._dynamo`). What
that costs, measured by benchmarks/optimizer_step.py on one core with `fused=True` (torch 2.13, processor time of whole training
steps, two runs on a busy machine; benchmarks/results/optimizer_step.json is the later one):

    digits MLP, 6 tensors       12 to 13 % more a step
    digits CNN, 20 tensors       0 to 2 %
    character GPT, 36 tensors    1 to 3 %
    the first update             1.6 to 2.0 s, here less than 1 ms

So this is for the start and for small models, and not needed by anything else. The state has the names of `torch.optim`, and
the updates are bitwise those of `fused=True`: tests/runtime/test_optimizers.py compares them, so that a release of torch
that changes a kernel is noticed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_torch: Any = torch  # the type stubs leave out private names

lerp = _torch._foreach_lerp
lerp_ = _torch._foreach_lerp_
sign_ = _torch._foreach_sign_
mul_ = _torch._foreach_mul_
add_ = _torch._foreach_add_

#: Each kind with the defaults of what a group may leave out.
KINDS: dict[str, dict[str, Any]] = {
    "Adam": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "AdamW": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2},
    "SGD": {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
}


class Fused:
    """An optimizer with the parts of `torch.optim.Optimizer` that the loop uses: groups, state, step."""

    def __init__(self, kind: str, groups: list[dict[str, Any]]) -> None:
        self.kind = kind
        self.param_groups = [KINDS[kind] | group for group in groups]
        self.state: dict[Tensor, dict[str, Any]] = {p: {} for group in groups for p in group["params"]}
        self.defaults = {"fused": True}
        self._lists: list[tuple[list[Tensor], list[Tensor], list[Tensor]]] = [([], [], []) for _ in groups]
        self._members = [0 for _ in groups]

    @torch.no_grad()
    def step(self) -> None:
        for number, group in enumerate(self.param_groups):
            params: list[nn.Parameter] = group["params"]
            grads: list[Any] = [p.grad for p in params]
            if any(grad is None for grad in grads):  # something is frozen for a time
                params = [p for p in params if p.grad is not None]
                grads = [p.grad for p in params]
                if not params:
                    continue
            if self.kind == "SGD":
                self._sgd(group, params, grads)
            else:
                self._adam(number, group, params, grads)

    def _adam(self, number: int, group: dict[str, Any], params: list[nn.Parameter], grads: list[Tensor]) -> None:
        averages, squares, steps = self._state_of(number, params)
        near, far = group["betas"]
        add_(steps, 1)
        kernel = _torch._fused_adamw_ if self.kind == "AdamW" else _torch._fused_adam_
        kernel(
            params,
            grads,
            averages,
            squares,
            [],
            steps,
            lr=group["lr"],
            beta1=near,
            beta2=far,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=None,
        )

    def _state_of(self, number: int, params: list[nn.Parameter]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Averages, squares and step counts as lists, made once for a set of parameters (which only grows)."""
        if self._members[number] != len(params):
            for parameter in params:
                state = self.state[parameter]
                if "step" not in state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
            states = [self.state[p] for p in params]
            self._lists[number] = (
                [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states], [s["step"] for s in states]
            )  # fmt: skip
            self._members[number] = len(params)
        return self._lists[number]

    def _sgd(self, group: dict[str, Any], params: list[nn.Parameter], grads: list[Tensor]) -> None:
        momenta: list[Tensor] = []
        first = group["momentum"] != 0 and "momentum_buffer" not in self.state[params[0]]
        if group["momentum"] != 0:
            for parameter in params:
                if "momentum_buffer" not in self.state[parameter]:
                    # the kernel's first step writes the gradient; a late comer among others starts from zero
                    self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
            momenta = [self.state[p]["momentum_buffer"] for p in params]
        _torch._fused_sgd_(
            params,
            grads,
            momenta,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=0.0,
            nesterov=group["nesterov"],
            maximize=False,
            is_first_step=first,
            grad_scale=None,
            found_inf=None,
        )
