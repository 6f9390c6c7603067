"""A spec as text, and as a syntax tree.

    read                          a file to a `Source`
    syntax tree_builder parse     the tree; what each production of the grammar becomes; text to tree
    brackets recovery             a text with mistakes: which bracket was meant, messages, where parsing resumes
    roles layout                  `dlc fmt`: tokens with their roles, laid out
    printer                       any tree to text
    tree_json                     the tree as JSON and back

The grammar itself, its tables and the machine that runs them are in `dlc.grammar`.
"""
