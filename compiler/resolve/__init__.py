"""Before elaboration: from the root file to definitions, parameters and settings. No body is looked into.

    definitions     what names of a file refer to: Definition, ParamSlot, FileScope, Callable. Data only
    evaluate        static expressions outside of bodies
    callables       functions and layers as values: `param norm: layer = RMSNorm(1e-5)`
    parameters      the value of a parameter, computed once and checked
    settings        what `depth=24`, `GPT2.depth`, `train.batch` mean; a section with one key replaced
    load            files to scopes: imports, `extends`
    levels          names that hide each other
    project         `resolve`: all of the above for one spec, into a `Project`

    flatten diff idle_overrides     reports about a resolved project: one file of it, how two differ, overrides in vain

From the bottom up; a file imports only those listed before it.
"""
