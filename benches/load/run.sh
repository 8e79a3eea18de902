#!/usr/bin/env bash
# Large pairs, many runs at once, many images: memory and time of each, and whether the numbers are right.
#
#     KD=target/debug/kd benches/load/run.sh pair|crd|eight|images [FOLDER]
#
#   pair    ResNet50 → vgg8 by NST, 512 images of 32×32 with 100 classes, batch 64
#   crd     resnet32x4 → resnet8x4 by CRD, 16,384 negatives out of 50,000 images, batch 64; stopped after
#           LIMIT seconds (default 300)
#   eight   eight runs at once, and the same one after another
#   images  IMAGES generated images (default 1,000,000) from files, one epoch of resnet8
set -euo pipefail
cd "$(dirname "$0")/../.."

what=${1:?pair, crd, eight or images}
out=${2:-$(mktemp -d)}
kd=${KD:-target/debug/kd}
here=benches/load
mkdir -p "$out"

# Runs a command, which SIGTERM ends after so many seconds; every second a line with its seconds and
# resident MiB goes to a file.
watched() {
    local samples=$1 most=$2 start pid
    shift 2
    start=$(date +%s)
    "$@" &
    pid=$!
    while [ -d "/proc/$pid" ]; do
        if [ $(($(date +%s) - start)) -ge "$most" ]; then kill -TERM "$pid" 2> /dev/null || true; fi
        awk -v seconds=$(($(date +%s) - start)) \
            '/^VmRSS/ { printf "%d %.0f\n", seconds, $2 / 1024 }' "/proc/$pid/status" 2> /dev/null || true
        sleep 1
    done > "$samples"
    wait "$pid"
}
# Seconds and resident memory at some moments, and the most.
summary() {
    awk '{ seconds[NR] = $1; mib[NR] = $2; if ($2 > most) most = $2 }
        END {
            for (part = 1; part <= 8; part++) {
                row = int((NR - 1) * part / 8) + 1
                printf "%d s: %d MiB  ", seconds[row], mib[row]
            }
            printf "most: %d MiB in %d s\n", most, seconds[NR]
        }' "$1"
}
numbers() { sed 's/,"seconds".*//' "$1/metrics.jsonl"; }

hundred=(--set data.procedural.classes=100)
case $what in
pair)
    "$kd" train --model ResNet50 --epochs 1 --limit-train 64 --limit-test 64 --batch-size 64 \
        "${hundred[@]}" --out "$out/teacher" > "$out/teacher.log"
    watched "$out/pair.txt" 36000 "$kd" distill --student vgg8 --method nst \
        --teacher-weights "$out/teacher/student.safetensors" --epochs 1 --limit-train 512 --limit-test 128 \
        --batch-size 64 "${hundred[@]}" --out "$out/pair"
    summary "$out/pair.txt"
    ;;
crd)
    images=(--set data.procedural.train=50000 --limit-test 256)
    "$kd" train --model resnet32x4 --epochs 1 --limit-train 128 --limit-test 64 --batch-size 64 \
        "${hundred[@]}" --out "$out/teacher" > "$out/teacher.log"
    watched "$out/crd.txt" "${LIMIT:-300}" "$kd" distill --student resnet8x4 --method crd \
        --teacher-weights "$out/teacher/student.safetensors" --epochs 1 --batch-size 64 \
        "${hundred[@]}" "${images[@]}" --out "$out/crd" || true
    summary "$out/crd.txt"
    ;;
eight)
    run() {
        "$kd" train --model resnet8 --epochs 2 --limit-train 256 --limit-test 64 --batch-size 32 --seed "$1" \
            --out "$out/$2-$1" > "$out/$2-$1.log" 2>&1
    }
    start=$(date +%s)
    pids=()
    for seed in 0 1 2 3 4 5 6 7; do
        run "$seed" together &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    echo "eight at once: $(($(date +%s) - start)) s"
    start=$(date +%s)
    for seed in 0 1 2 3 4 5 6 7; do
        run "$seed" alone
        cmp <(numbers "$out/together-$seed") <(numbers "$out/alone-$seed")
    done
    echo "one after another: $(($(date +%s) - start)) s; the same numbers"
    ;;
images)
    images=${IMAGES:-1000000}
    if [ ! -e "$out/images" ]; then python3 $here/images.py "$out/images" "$images"; fi
    watched "$out/images.txt" 36000 "$kd" train --model resnet8 --data folder --root "$out/images" --epochs 1 \
        --batch-size 500 --workers 1 --set data.memory_mib=0 --set augmentation.kind=flip --out "$out/run"
    summary "$out/images.txt"
    ;;
*) echo "unknown: $what" && exit 2 ;;
esac
