"""The PyTorch backend: typed IR to the source that one would have written by hand.

    module.py        model.py as a whole: head, support, classes in order
    classes.py       one class a block: which bodies share it, and its parts; members.py: which bodies become classes
    definition.py    its arguments, and its lines; class_names.py: its name, and its place in the file
    arguments.py     what may become an argument of a constructor; constructor.py: its statements
    optional.py      one class with an optional part in the place of near copies; stages.py: of an `nn.Sequential`
    functions.py     blocks that own nothing: which of them are functions, and their names
    clusters.py      the same model at other sizes (compiler/resizing.py): which bodies are one part of it
    fitting.py       numbers that vary together as expressions: `4 * d`
    initial.py       `init_weights`
    expressions.py   what the author wrote for numbers and conditions, as Python
    authored.py      comments, defaults and definitions, from the text of the spec
    scopes.py        where the layers of a class live: attributes, `nn.Sequential`, `nn.ModuleList`; slots.py: the tree itself
    chains.py        entries of an `nn.Sequential`, and constructor calls; function_stages.py: `nn.ReLU()` for `relu`
    turns.py         turns of a loop that differ by their number, as one comprehension
    rows.py          instances of one class whose arguments differ, as a table and a loop
    bodies.py        what is read off a body of the IR: paths, uses of values
    regions.py       a `forward`: nodes in order; `repeat`, `if training`, `scan`
    statements.py    one operator, block or chain of stages
    variables.py     which values get a variable, and its name
    tables.py        tensors that no input changes: buffers, made in the constructor
    requirements.py  claims about sizes that only the input decides
    lowering.py      what a lowering sees, and the table of lowerings; ops/ holds them, in files as in the catalogue
    group.py         bodies that share a class, side by side
    constants.py     their numbers: equal ones are literals, the others arguments of the constructor
    sizes.py         symbolic sizes: `B, T, _ = x.shape`; derived_sizes.py: those that no axis has
    python.py        expressions, literals, names, layout; lines.py: a line before its layout
    support.py       functions and classes that a file needs besides its own
    recipe.py        recipe.py as a whole: which functions it has; recipe_function.py: the statements of one
    parameter_groups.py  what an optimizer updates; parameter_rules.py: conditions on parameters; schedules.py: `lr(step)`
    signatures.py    what the functions of recipe.py take and return, for the runtime
    initial_statements.py  how initial values are written, an entry each; shared_tables.py: tables that many layers read
    load.py          source as a running class

`Classes -> Scopes -> Forward`: classes are written from the innermost block to the model. Each makes its tree of layers
(`Scopes`), then its statements (`Forward`). What a tree asks about the classes before it comes as four functions
(`Builders`), what a `forward` asks as one (`emitting`), so that none knows who uses it.
"""
