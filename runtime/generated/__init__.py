"""From the IR to modules that run.

    build         source generated and executed, nets made, functions of the recipe tied to them: a `Program`
    functions     the `Program`, and what training and evaluation call in it
    initialize    first values of parameters, each a function of (seed, path)
    outside       what depends on the data: a position outside of its table

The files in a run are records of this source; see `build` for what is executed when.
"""
