"""Answers from what was trained.

    session       an ONNX file in ONNX Runtime; `ports` are its inputs and outputs, `providers` where it runs
    generate      continuing tokens; `key_values` is what a cached file keeps between two steps
    records       raw records from files and folders (`pieces` of large ones), or from arrays (`bare`)
    predict       a run on raw records, with the preprocessing of its training
    answering     an ONNX file on raw records; `pipeline` is the data section that it holds, `prediction` what comes out
    input_files   files as inputs of an ONNX file that holds no data section
    file_facts    the metadata of a file, validated; `columns`: of its inputs; `external_files`: weights outside of it
    batch_axis    which axis of an output counts the records
    prompts       prompts as tokens, tokens as text
    writers       predictions as CSV, JSON and parquet
    answers       what outputs say: a class, a chance, a value; `units` is the way back to the units of the data

All but `predict` work without torch.
"""
