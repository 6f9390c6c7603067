"""Answers from what was trained.

    session       an ONNX file in ONNX Runtime; `ports` are its inputs and outputs, `providers` where it runs
    generate      continuing tokens; `key_values` is what a cached file keeps between two steps
    input_files   files as inputs of an ONNX file
    predict       a run on raw records, with the preprocessing of its training
    answers       what outputs say: a class, a chance, a value; `units` is the way back to the units of the data

All but `predict` work without torch.
"""
