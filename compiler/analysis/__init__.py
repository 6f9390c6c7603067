"""What is read off a finished IR with the catalogue at hand; nothing here changes one.

summary    layers, parameters, operations and memory of a model
cached     whether a model has a form with a key/value cache, and where it keeps what
statistics batch statistics over a single number
gradient   losses from which no gradient leads to a weight
exportable what an exported graph cannot hold
verify     whether an IR is legal: after every stage in the tests, and once on every `ir.json` that is opened
meaning    what a value of a model stands for; targets: what its outputs mean, by the data flow of the loss (flow)
batch_sizes requirements on the number of examples, against the batches of a recipe
idle       keys of `train` whose value changes nothing
verify_entry, verify_data   the same for what an entry is given, and for a `data` section in the metadata of a file
"""
