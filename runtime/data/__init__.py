"""Records from sources, split, transformed and batched, as a `data` section defines.

sources/      one reader a kind of source                builtin/     data sets that need no file
table         columns and where each record came from    splits       which records are train, val and test
graph         the nodes of a section for a batch         transforms/  their functions; `values`: what they work on
image_chains  of transforms, an image at a time in threads
fitting       what transforms learn from the train split streams      sequences that windows are cut from
feed          a section opened: batches of a split       declared     fields as declared: dtype, shape, lengths
facts         facts of the data for the checker          vocabulary   texts from token numbers
conditions    `where`                                    decode       image files        draw   random numbers
mistakes, table_mistakes, split_mistakes, series_mistakes   what is wrong with data, with its place
nodes         of a section: columns, cells
laid_out      columns in files, for what is larger than the `memory`
series        rows of a table in the order of time       cells        of tables, as numbers
windows       of streams, as tensors                     arrays/      the same in evaluation, without torch
batching, sampling, token_streams    which records a batch has, how likely each is, streams made of others
dropping      records that are left out                  learned      what a node has learned, from elsewhere
parsing, text_columns   columns of texts as numbers      array_files  NumPy's files
tokenizing    tokenizers; `sentencepiece`, `tokenizer_limits`: those from elsewhere
kept_tokens, kept_arrays   what is computed once         shard_mistakes   of tar files
"""
