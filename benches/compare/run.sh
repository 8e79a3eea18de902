#!/usr/bin/env bash
# This workspace against PyTorch, case by case in turns: see README.md beside this file.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/interop/venv
if ! [ -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import torch, numpy' 2>/dev/null &&
    ! "$venv/bin/pip" install --quiet torch safetensors numpy; then
    echo "SKIPPED: the comparison needs torch and numpy from PyPI, which is out of reach"
    exit 0
fi
# CARGO_ARGS='--release --features cuda', for example.
read -ra cargo_args <<<"${CARGO_ARGS:-}"
binary=$(cargo build --bin compare "${cargo_args[@]}" --message-format json |
    "$venv/bin/python" -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "compare":
        print(message["executable"])')
data=()
if [ -n "${KD_DATA:-}" ]; then
    data=(--data "$KD_DATA")
fi
exec "$venv/bin/python" benches/compare/compare.py "$binary" "${data[@]}" "$@"
