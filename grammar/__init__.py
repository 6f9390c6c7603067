"""The grammar of the language, its generated tables and the machine that runs them. Knows nothing of the compiler.

dlspec.lark                          the grammar                 generate, tables   its tables, made by Lark, and read
scanner, machine                     text to tokens; tokens to calls, one a production
mistake, mistakes, other_notations   rows about mistakes of syntax: a message, a fix and programs that make it
"""
