#!/usr/bin/env bash
# Weights to PyTorch and back, on real images: see README.md beside this file.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${KD_DATA:-}" ]; then
    echo "SKIPPED: tests/interop compares logits on CIFAR-100; KD_DATA does not name its folder"
    exit 0
fi
venv=target/interop/venv
folder=target/interop/files
if ! [ -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import torch, safetensors, numpy' 2>/dev/null &&
    ! "$venv/bin/pip" install --quiet torch safetensors numpy; then
    echo "SKIPPED: tests/interop needs torch, safetensors and numpy from PyPI, which is out of reach"
    exit 0
fi
rm -rf "$folder"

cargo run --quiet --bin interop -- write "$folder" "$KD_DATA"
"$venv/bin/python" tests/interop/compare.py "$folder" "$KD_DATA"
cargo run --quiet --bin interop -- read "$folder"
rm -rf "$folder"
