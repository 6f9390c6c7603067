"""The compiler: the text of a spec in, the typed IR or diagnostics out. No torch, no onnx, no file but the spec's own.

A room imports only those below it; type-only imports count (contracts in pyproject.toml, tests/packaging/test_imports.py):

    resizing        a model at other values of its statics: checks it again
    check           the front door: the stages in order
    bind            data, train, export, search: the recipe        analysis    summaries, flows, caches of a checked spec
                                                                   schemas     JSON schemas of tree and IR
    elaborate       bodies: shapes, paths, parameters, nodes
    resolve         files, names, parameters, settings
    catalogue       everything that a spec may name: operators, losses, optimizers, sources, ..
    ir              the typed IR: frozen records, with a JSON round trip
    sizes           sizes, types, static values
    text            source to tree and back
    messages        diagnostics: their texts, meanings and rendering
"""
