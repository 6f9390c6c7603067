"""What is read off a finished IR with the catalogue at hand; nothing here changes one.

summary    layers, parameters, operations and memory of a model
cached     whether a model has a form with a key/value cache, and where it keeps what
verify     whether an IR is legal: after every stage in the tests, and once on every `ir.json` that is opened
"""
