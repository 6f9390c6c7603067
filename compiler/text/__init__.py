"""A spec as text, and as a syntax tree.

    read                          a file to a `Source`
    node syntax top_level         the tree: what all nodes share; bodies and values; the items of a file
    tree_builder parse            what each production of the grammar becomes; text to tree
    brackets recovery             a text with mistakes: which bracket was meant, messages, where parsing resumes
    remains                       what is kept of a text with mistakes
    layout_tokens roles layout    `dlc fmt`: tokens with comments, their roles, where they go
    printer                       any tree to text
    tree_json                     the tree as JSON and back

The grammar itself, its tables and the machine that runs them are in `dlc.grammar`.
"""
