#!/usr/bin/env bash
# Measures training on a GPU against PyTorch, in at most eight minutes: see README.md beside this file.
# Usage: benches/gpu/run.sh BINARY[.xz] [--device cuda] [--minutes 8] [--out FOLDER] [--recipe FILE]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?give the binary of this package, see README.md}
shift
if [[ $binary == *.xz ]]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    xz -dkc "$binary" >"$unpacked/kd-gpu-bench"
    chmod +x "$unpacked/kd-gpu-bench"
    binary=$unpacked/kd-gpu-bench
fi
python3 "$here/gpu.py" "$binary" "$@"
