#!/usr/bin/env bash
# Standard, adaptive, anti and random distillation on CIFAR-100, three seeds each.
#
#   KD_DATA=/data/cifar-100-binary benches/spot_adaptive/run.sh [OUT]
#
# Runs that are complete in OUT are not repeated. Needs the `kd` binary in the path or in KD, and
# Python 3 for the table.
set -euo pipefail
out=${1:-runs/spot-adaptive}
kd=${KD:-kd}
data=(--data cifar100 --root "${KD_DATA:?names the folder of CIFAR-100}" --limit-test 2000)
teacher=$out/teacher/student.safetensors

"$kd" train --student resnet20 "${data[@]}" --limit-train 10000 --epochs 12 --resume=auto --out "$out/teacher"
for seed in 0 1 2; do
    for routing in always adaptive anti random; do
        policy=()
        case $routing in adaptive | anti) policy=(--routing-gamma 2) ;; esac
        common=(--student resnet8 --teacher-weights "$teacher" "${data[@]}" --limit-train 5000
            --epochs 6 --seed "$seed" -r 1 -a 1 --routing "$routing" "${policy[@]}" --resume=auto)
        "$kd" distill --method at -b 1000 "${common[@]}" --out "$out/at-$routing-$seed"
        "$kd" distill --method '{ name: hint, whole_batch: true }' -b 1 "${common[@]}" \
            --out "$out/hint-$routing-$seed"
    done
done
python3 "$(dirname "$0")/table.py" "$out"
