"""What can be computed before anything runs: sizes of axes, types of tensors, static values.

    dims size_text     a size: an int, or a polynomial over the input's dimensions; and its text
    facts              what is known about dimensions, and what follows: equal, divisible, bounded
    types              TensorType, broadcasting, joining dtypes
    statics            arithmetic and comparison of static values; static_functions: `sqrt`, `max`, ..

There is no solver: two sizes are equal, different, or unknown (then a `require` states the missing fact).
"""
