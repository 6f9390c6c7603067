"""A spec or a run as an ONNX file.

    export            the whole: staged next to the destination, compared, put in place
    options           what the caller chooses                  request   what follows: model, precision, destination, metadata
    chosen_weights    where the weights come from              outputs   what the outputs answer, for the metadata
    preprocessing     the part of the data pipeline that goes into the graph
    parity            PyTorch and ONNX Runtime on the same inputs, at several sizes
    reference_model   the PyTorch module that is compared with

An export without comparison (`--no-verify`) loads no torch.
"""
