"""Elaboration: one symbolic run of a body is its shape inference, its naming and its IR.

`elaborator` holds what one run shares (bodies, the cache, facts), `signatures` binds arguments and unifies types,
`expressions`, `stages`, `statements` and `rearrangement` run what a body is made of, `builder` collects its nodes.
"""
