"""A spec or a run as an ONNX file.

    export            the whole: staged next to the destination, compared, put in place
    options           what the caller chooses                  request   what follows: model, precision, destination, metadata
    chosen_weights    where the weights come from              outputs   what the outputs answer, for the metadata
    preprocessing     the part of the data pipeline that goes into the graph
    lookups, units    strings of the data in the graph; the way back to its units
    columns           which columns the inputs are from        added    nodes in front of a body, and behind it
    halves            which precisions have kernels here
    parity            PyTorch and ONNX Runtime on the same inputs, at several sizes
    reference_model   the PyTorch module that is compared with

An export without comparison (`--no-verify`) loads no torch.
"""
