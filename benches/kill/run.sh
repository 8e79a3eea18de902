#!/usr/bin/env bash
# Runs, cells of a sweep and runs that write a teacher's cache, each killed (-9) at random moments and
# started again, end with the numbers of undisturbed ones; what is there after a kill is whole.
#
#     KD=target/debug/kd benches/kill/run.sh [KILLS] [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."

kills=${1:-100}
out=${2:-$(mktemp -d)}
kd=${KD:-target/debug/kd}
here=benches/kill
mkdir -p "$out"

tiny=(--epochs 3 --limit-train 16 --limit-test 8 --batch-size 8)

# All numbers of all epochs, without the wall time.
numbers() { sed 's/,"seconds".*//' "$1/metrics.jsonl"; }
# The tensors of a file of weights, without the header.
tensors() { tail -c "+$(($(od -An -tu8 -N8 "$1") + 9))" "$1"; }
milliseconds() { date +%s%3N; }
# A random moment of so many milliseconds.
moment() {
    local now=$((RANDOM * $1 / 32768))
    sleep "$((now / 1000)).$(printf %03d $((now % 1000)))"
}
resume() { if [ -e "$1/recipe.yaml" ]; then echo --resume; fi; }
fail() { echo "LOST: $*"; exit 1; }

train_teacher() {
    "$kd" train --model resnet14 "${tiny[@]}" --out "$out/teacher" > "$out/teacher.log"
}
# Each is the process itself, so that a kill hits it. FOLDER
run() {
    exec "$kd" distill --student resnet8 --method at --teacher-weights "$out/teacher/student.safetensors" \
        "${tiny[@]}" --out "$1" $(resume "$1")
}
cached() {
    exec "$kd" distill --student resnet8 --method kd --teacher-weights "$out/teacher/student.safetensors" \
        "${tiny[@]}" --out "$1" --teacher-cache "$1-cache" $(resume "$1")
}
uncached() {
    exec "$kd" distill --student resnet8 --method kd --teacher-weights "$out/teacher/student.safetensors" \
        "${tiny[@]}" --out "$1"
}
cells() { exec "$kd" sweep $here/sweep.yaml --out "$1"; }

# What a run's folder has to be at any moment. FOLDER UNDISTURBED
check() {
    [ -d "$1" ] || return 0
    if [ -e "$1/recipe.yaml" ]; then cmp "$1/recipe.yaml" "$2/recipe.yaml" || fail "$1: recipe"; fi
    if [ -e "$1/metrics.jsonl" ]; then
        local epochs
        epochs=$(wc -l < "$1/metrics.jsonl")
        cmp <(numbers "$1") <(numbers "$2" | head -n "$epochs") || fail "$1: epochs"
    fi
    # The process of a cell dies after its sweep, by a signal of the system, in a moment of its own.
    if [ -e "$1/.lock" ]; then flock --wait 5 "$1/.lock" true || fail "$1: a lock is left"; fi
}
# The same for a run that is complete.
same() {
    cmp <(numbers "$1") <(numbers "$2") || fail "$1: epochs"
    [ -e "$1/result.json" ] && [ -e "$1/student.safetensors" ] || fail "$1: files"
    cmp <(tensors "$1/student.safetensors") <(tensors "$2/student.safetensors") || fail "$1: weights"
    local rubbish
    rubbish=$(find "$1" -name '.tmp*')
    [ -z "$rubbish" ] || fail "$1: $rubbish"
}
epochs_of() { find "$1" -name metrics.jsonl -exec cat {} + 2> /dev/null | wc -l || true; }

# Kills COMMAND on FOLDER; VICTIM prints the process to kill, CHECK and SAME look at the folder.
torment() {
    local command=$1 folder=$2 whole=$3 victim=$4 check=$5 same=$6
    local killed=0 complete=0 length=$7 pid
    declare -A reached=()
    while [ "$killed" -lt "$kills" ]; do
        ($command "$folder") > /dev/null 2>> "$folder.log" &
        pid=$!
        moment "$length"
        if kill -9 $($victim "$pid" "$killed") 2> /dev/null; then killed=$((killed + 1)); fi
        wait "$pid" 2> /dev/null || true
        $check "$folder" "$whole"
        local epochs
        epochs=$(epochs_of "$folder")
        reached[$epochs]=$((${reached[$epochs]:-0} + 1))
        if $complete_when "$folder"; then
            $same "$folder" "$whole"
            complete=$((complete + 1))
            rm -rf "$folder" "$folder-cache"
        fi
    done
    ($command "$folder") > /dev/null 2>> "$folder.log"
    $same "$folder" "$whole"
    printf '%s: %d kills, %d runs to the end, 0 losses; epochs complete after a kill or an end:' \
        "$command" "$killed" "$((complete + 1))"
    for epochs in $(printf '%s\n' "${!reached[@]}" | sort -n); do
        printf ' %s: %s×' "$epochs" "${reached[$epochs]}"
    done
    echo
}

itself() { echo "$1"; }
# In turn the sweep and the process of its cell; the latter ends with the former.
sweep_or_cell() {
    local cell=
    if [ $(($2 % 2)) -eq 1 ]; then cell=$(pgrep -P "$1" | head -n 1); fi
    echo "${cell:-$1}"
}
is_complete() { [ -e "$1/result.json" ]; }
are_complete() { [ -e "$1/resnet8-seed0/result.json" ] && [ -e "$1/resnet8-seed1/result.json" ]; }
check_cells() { for seed in 0 1; do check "$1/resnet8-seed$seed" "$2/resnet8-seed$seed"; done; }
same_cells() {
    for seed in 0 1; do same "$1/resnet8-seed$seed" "$2/resnet8-seed$seed"; done
    cmp <("$kd" table "$1") <("$kd" table "$2") || fail "$1: table"
}

# Undisturbed, with the milliseconds that it takes.
undisturbed() {
    local start
    start=$(milliseconds)
    ($1 "$2") > /dev/null 2> "$2.log"
    took=$(($(milliseconds) - start))
    echo "$1, undisturbed: $took ms"
}

train_teacher
complete_when=is_complete
undisturbed run "$out/whole-run"
torment run "$out/run" "$out/whole-run" itself check same "$took"
undisturbed uncached "$out/whole-cached"
undisturbed cached "$out/first-cached"
same "$out/first-cached" "$out/whole-cached"
# The teacher's cache is no part of the result: its recipe names it.
cp "$out/first-cached/recipe.yaml" "$out/whole-cached/recipe.yaml"
sed -i "s|first-cached-cache|cached-cache|" "$out/whole-cached/recipe.yaml"
torment cached "$out/cached" "$out/whole-cached" itself check same "$took"
complete_when=are_complete
undisturbed cells "$out/whole-cells"
torment cells "$out/cells" "$out/whole-cells" sweep_or_cell check_cells same_cells "$took"
