"""From the IR to modules that run.

    build         source generated and executed, nets made, functions of the recipe tied to them: a `Program`
    functions     the `Program`, and what training and evaluation call in it
    initialize    first values of parameters, each a function of (seed, path)

The files in a run are records of this source; see `build` for what is executed when.
"""
