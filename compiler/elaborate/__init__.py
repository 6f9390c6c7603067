"""Elaboration: one symbolic run of a body is its shape inference, its naming and its IR.

From the bottom up; a file imports only those listed before it:

    values environment builder   what an expression can be; the names of a body; its nodes, instances and paths
    roots                        root uses of models, found by `bind.roots` and filled in by `elaborator`
    state                        what one run shares: bodies, cache, facts, the blocks being instantiated
    initializers                 what is written after `init =`
    nodes                        tensors, and the nodes of operators with their shape rules
    signatures arguments         which list of a block is which; arguments bound to an operator or a block
    shapes rearrangement         declared types against actual ones; `[..] => [..]`
    instances nets apply         owners of weights; nets taken whole; functions, layers, blocks and instances in a stage
    modes control                conditions and `if training`; pipes, groups, `if`, `repeat`, `for`
    foreign                      calls as other libraries write them, and the same in the language
    expressions                  everything that has a value
    bindings scans statements    what a body consists of
    branches                     `if` as a statement
    blocks                       bodies of blocks and models
    unmatched elaborator         checks of a whole model; the root uses of models

The language is recursive (an expression holds stages, a stage applies a block, a block's body holds expressions), so
three calls must run up. `state.State` declares them as abstract methods (`evaluate`, `realize`, `run_block`), and
`elaborator.Elaborator`, at the top, fills them in. A lower file writes `context.evaluate(node)`.

What the builder records for `h = x -> up: Linear(64)`, where `x` is the `f32[B, 16]` with the id 0:

    statements.run_statement     a `Bind`: `bindings.bind` evaluates its value
    expressions.evaluate         a `Pipeline`: its head is the tensor 0, its stages go to `control.run`
    control.stage                an `Apply` with the label `up`
    apply.apply                  binds (64) to `Linear`'s fields and places the instance `up` in the builder
    nodes.operator_node          `Linear(64).infer(f32[B, 16])` is f32[B, 64]; the instance gets weight [64, 16], bias [64]
                                 OpNode(op="Linear", inputs=(0,), args={"out": 64, "bias": True}, instance="up"),
                                 whose output is the tensor 1: f32[B, 64]
    bindings.bind                names the tensor 1 `h`
"""
