"""The grammar of the language, its generated tables and the machine that runs them. Knows nothing of the compiler."""
