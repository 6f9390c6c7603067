"""What runs: data, training, export and inference, over the IR of the compiler and the source of the backends.

    api           the public functions; above all rooms, imported by none
    exporting/    a run or spec as an ONNX file, compared with PyTorch before it is in place
    inference/    ONNX files without torch; predictions of a run for raw records
    training/     the loop and what is around it; a run opened again to evaluate it
    judging/, looking/     how good the answers are; what goes into a model; as pages
    drafting/              a first spec for data as it is
    weights/      weights from elsewhere, and ours in a foreign layout
    spec, run     the types that the public functions take and return: Loaded, SpecError, Run
    generated/    the modules made from model.py and recipe.py, and first values
    checkpoints/  run directories and checkpoints on disk
    data/         records from sources, split, transformed, batched
    writing, destination   files that are whole or not there, or a message; which ones a spec may name
    forms                  the forms of JSON from elsewhere
    failure, locks         what ends a run; one writer at a time
    loading, not_finite    imports of torch; weights that hold NaN
    randomness             random numbers as functions of (seed, position)

Imports run from the top of this list to the bottom. Nothing here prints: training reports events, the rest returns values,
raises `RunFailure` and `SpecError`, or warns.
"""
