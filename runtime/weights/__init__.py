"""Weights from elsewhere, and ours in a foreign layout.

plan.py      which of ours comes from which foreign tensors, decided on names and shapes alone
mapping.py   the same with tensors: `ours_from`, and `foreign_from`, its inverse
mismatch.py  what is reported when a file does not fit; mistakes.py: as diagnostics; other_sizes.py: the settings with which it would
sources.py   where `file`, `hf` and `torchvision` find their files
files.py     safetensors, shards, PyTorch files: opened without trust, read tensor by tensor
load.py      the weights of a `train` section, put into its nets
foreign.py   the kept weights of a run in another library's layout (`dlc export --weights`)
importing.py a foreign file against a spec (`dlc import-weights`)
families.py, suggest.py, section.py   a map proposed: names compared, families paired, rules written
layers.py, units.py   layers and parts of two models that are the same, where families do not pair up
torchvision_files.py  where torchvision's weights are
"""
