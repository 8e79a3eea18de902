#!/usr/bin/env bash
# A sweep that is killed at random moments and restarted ends with the table of an undisturbed one,
# and two sweeps that are started at once on one folder run each cell once.
#
#     KD_DATA=folder/of/cifar-100 benches/sweep_kill/run.sh [KILLS] [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${KD_DATA:?set it to the folder that holds cifar-100-binary}"
kills=${1:-20}
out=${2:-$(mktemp -d)}
mkdir -p "$out"
kd=${KD:-target/release/kd}
here=benches/sweep_kill

sweep() { "$kd" sweep $here/sweep.yaml --root "$KD_DATA" --out "$1" --jobs 2; }
table() { "$kd" table "$1" --report both; }

echo "undisturbed"
time sweep "$out/whole" > /dev/null 2> "$out/whole.log"

echo "killed $kills times"
killed=0
while [ "$killed" -lt "$kills" ]; do
    "$kd" sweep $here/sweep.yaml --root "$KD_DATA" --out "$out/killed" --jobs 2 \
        > /dev/null 2>> "$out/killed.log" &
    pid=$!
    sleep "$((RANDOM % 4)).$((RANDOM % 10))$((RANDOM % 10))"
    if kill -9 "$pid" 2> /dev/null; then
        killed=$((killed + 1))
    else
        # It was complete before: from the beginning, so that there is something to kill.
        rm -rf "$out/killed"
    fi
    wait "$pid" 2> /dev/null || true
done
sweep "$out/killed" > /dev/null 2>> "$out/killed.log"

echo "two at once"
sweep "$out/shared" > /dev/null 2> "$out/first.log" &
sweep "$out/shared" > /dev/null 2> "$out/second.log"
wait

# All numbers of all epochs, without the wall time.
numbers() { (cd "$1" && grep . */metrics.jsonl | sed 's/,"seconds".*//'); }
for name in killed shared; do
    cmp <(table "$out/whole") <(table "$out/$name")
    cmp <(numbers "$out/whole") <(numbers "$out/$name")
    echo "$name: the same table and the same $(numbers "$out/$name" | wc -l) epochs"
done
cells=$(ls "$out/shared" | wc -l)
once=$(cat "$out/first.log" "$out/second.log" | grep -c '^started ')
echo "$cells cells, started $once times, by both: $(grep -c '^started ' "$out/first.log") and $(grep -c '^started ' "$out/second.log")"
[ "$cells" -eq "$once" ]
table "$out/killed"
