"""The typed IR: frozen records with a JSON round trip, and what is known of them without the catalogue.

    record                       the base of all classes
    arguments                    static values, uses of catalogue entries, selectors of parameters
    model                        values, nodes, bodies, models; `Spec`, the whole
    data train export search weights, recipe    the sections, and `Recipe`, which holds them
    expand                       every layer and parameter of a model at its full path
    liveness                     what evaluation needs of a body
    submodel                     a part of a model as a model
    globs, wildcards             patterns of paths; those that correspond
    faults, verify, verify_instances, verify_recipe    what a legal IR is

A block, a turn of a `repeat` and a branch are bodies: `Spec.bodies` holds each once, and a `repeat` of 1000 is one body
and a count. Call `compiler.analysis.verify` to have an IR checked: it adds the catalogue's rules.
"""
