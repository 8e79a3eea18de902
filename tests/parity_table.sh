#!/usr/bin/env bash
# Prints the largest error of every loss fixture on each backend, as a table in Markdown:
#
#     tests/parity_table.sh > docs/book/src/parity-losses.md
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Every case has a row, also one in which nothing can be compared with the reference.
for case in tests/fixtures/losses/*.json; do
    printf '%s\tnone\tnone\t0\n' "$(basename "$case" .json)"
done >"$log"
KD_PARITY_LOG="$log" cargo test --quiet --workspace --features ndarray --test parity_losses >&2

cat <<'HEAD'
# Losses against the reference values

Largest error of each case, over all that it compares: values relative to the expected value,
gradients and other tensors relative to the largest magnitude of the expected tensor. Computed in
f32; the expected numbers were computed in f64 by the public PyTorch code. What the cases are is
said in `tests/fixtures`. A dash: nothing of that kind is compared with the reference, because the
reference has no number there; the test beside the case says what is asserted instead.

Made by `tests/parity_table.sh`.

| case | value, flex | value, ndarray | gradients, flex | gradients, ndarray | other tensors, flex | other tensors, ndarray |
|---|---|---|---|---|---|---|
HEAD
awk -F '\t' '
    {
        kind = $2 ~ /^grad/ ? "gradient" : ($2 ~ /^loss|_step/ && $2 !~ /after/ ? "value" : "other")
        at = $1 SUBSEP kind SUBSEP $3
        if (!(at in largest) || $4 + 0 > largest[at] + 0) largest[at] = $4
        names[$1] = 1
    }
    END {
        for (name in names) {
            line = "| `" name "`"
            for (k = 1; k <= 3; k++)
                for (b = 1; b <= 2; b++) {
                    at = name SUBSEP (k == 1 ? "value" : k == 2 ? "gradient" : "other") \
                        SUBSEP (b == 1 ? "flex" : "ndarray")
                    line = line " | " (at in largest ? largest[at] : "–")
                }
            print line " |"
        }
    }' "$log" | sort
