#!/usr/bin/env bash
# From a spec to predictions with ONNX Runtime, on scikit-learn's digits: what `make demo` runs, in ./demo.
set -euo pipefail
rm -rf demo
mkdir demo
cd demo

run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

run dlc new digits_mlp
run dlc check digits_mlp.dlspec
run dlc build digits_mlp.dlspec
run dlc train digits_mlp.dlspec
run dlc evaluate runs/digits_mlp/1
run dlc export runs/digits_mlp/1 -o digits.onnx
python - <<'PYTHON'
import numpy
from sklearn.datasets import load_digits

digits = load_digits()
numpy.savez("digits.npz", image=digits.images[:5, None].astype("float32"))
print("\ndigits.npz: five images of", *digits.target[:5])
PYTHON
run dlc predict digits.onnx digits.npz
