"""The compiler: text in, the typed IR or diagnostics out. It imports no torch, ONNX or NumPy and reads no data.

From the top down; a room imports only those below it:

    resizing     a model at other values of its statics: checked again
    check        the front door: `STAGES`, one tuple of functions over one `Compilation`
    emit         what each stage found, for a reader
    schemas      JSON schemas of the tree and the IR
    analysis     what is read off an IR: costs, the cached form, whether it is legal (`verify`)
    bind         sections (data, train, export, search, weights) to the recipe half of the IR
    elaborate    models and blocks to the bodies of the IR: shapes, names, parameters
    resolve      files and imports, what names mean, settings and their strength
    catalogue    everything a spec may name: operators, losses, optimizers, sources, ...
    ir           the typed IR, with what needs nothing else: expansion, liveness, sub-models
    sizes        symbolic sizes, facts about them, tensor types, static arithmetic
    text         source, tree and back: the parser, the formatter, the tree as JSON
    messages     diagnostics, their rendering, and every message with its meaning and example
    dataclass    `dataclass`, made in a tenth of the time; below all rooms

The contracts in pyproject.toml hold this order, type-only imports counted; tests/packaging/test_imports.py finds circles.
"""
