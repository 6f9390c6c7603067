"""Sections of a spec to the recipe half of the IR. A binder turns one section of its kind into one record.

    reader                         keys, static values, units and uses of entries, for all binders
    roots                          which models the sections use, before any is run
    recipe                         the order: data, train, export, search, weight maps; then `pair`
    data, data_graph               `DataBinder`: fields as a graph of transforms
    train, phase, phase_values     `TrainBinder`, `PhaseBinder`: nets, phases, updates, what the run keeps
    optimizer                      optimizers, schedules, parameter groups, freezing
    names                          what an expression of `train` may name
    expressions, expression_values, net_emits    `Expressions`: losses, metrics and lets as bodies; what they consist of
    export, search, weights        `ExportBinder`, `SearchBinder`, `bind_weights`
    pairing                        losses and metrics against the fields they meet
    series, data_items             rows as series; what is known of the values of a data graph
    mixup                          what `mixup` can mix

Models are not run here: `State.roots` has those that the stage before made.
"""
