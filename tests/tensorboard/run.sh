#!/usr/bin/env bash
# The logs of small runs, read by the real TensorBoard: see README.md beside this file.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/tensorboard/venv
runs=target/tensorboard/runs
if ! [ -x "$venv/bin/python" ]; then
    python3 -m venv "$venv" || { echo "!! SKIPPED: tests/tensorboard needs python3 with venv"; exit 0; }
fi
if ! "$venv/bin/python" -c 'import tensorboard' 2>/dev/null &&
    ! "$venv/bin/pip" install --quiet tensorboard; then
    echo "!! SKIPPED: tests/tensorboard needs tensorboard from PyPI, which is out of reach"
    exit 0
fi
rm -rf "$runs"

kd() { cargo run --quiet --bin kd -- "$@"; }
small=(--limit-train 80 --limit-test 40 --batch-size 16)
kd train --model resnet14 "${small[@]}" --epochs 2 --out "$runs/teacher"
adaptive=(distill --student resnet8 --method at --routing adaptive --teacher-weights "$runs/teacher/student.safetensors"
    "${small[@]}" --out "$runs/adaptive")
# A run that is made longer: its records are those of both sessions.
kd "${adaptive[@]}" --epochs 2
kd "${adaptive[@]}" --epochs 4 --resume --extend
"$venv/bin/python" tests/tensorboard/check.py "$runs" adaptive
