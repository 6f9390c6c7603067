"""Elaboration: one symbolic run of a body is its shape inference, its naming and its IR.

`elaborator` holds what one run shares (bodies, the cache, facts), `signatures` binds arguments and unifies types,
`expressions` and `stages` run the two halves of the language, `builder` collects the nodes of one body.
"""
