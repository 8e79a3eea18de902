#!/usr/bin/env bash
# Does what the chapter "The first hour" of the book says, in an empty folder and with nothing but
# the chapter: its files are saved, its commands are run, in its order.
#
#     docs/book/first-hour.sh
#
# The package shares the build of the checkout, so that Burn is not compiled again.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/../.." && pwd)
chapter=$checkout/docs/book/src/first-hour.md
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$checkout/target}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$checkout" kd
PATH=$CARGO_TARGET_DIR/debug:$PATH

# Each listing becomes a file: those to be saved under their names, commands as step-1, step-2, …
awk '
    /^```/ && !listing {
        listing = 1
        name = ""
        if (match($0, /file:[^,]*/)) name = substr($0, RSTART + 5, RLENGTH - 5)
        else if ($0 ~ /^```sh/) name = sprintf("step-%02d", ++steps)
        if (name ~ /\//) { path = name; sub(/\/[^\/]*$/, "", path); system("mkdir -p listings/" path) }
        else system("mkdir -p listings")
        next
    }
    /^```/ { listing = 0; if (name != "") print name; next }
    listing && name != "" { print > ("listings/" name) }
' "$chapter" >order

while read -r listing; do
    case $listing in
        step-*)
            sed 's/^/$ /' "listings/$listing"
            bash -eu -o pipefail "listings/$listing"
            ;;
        *)
            mkdir -p "$(dirname "$listing")"
            # The same paths as in the workspace, so that its build is used.
            sed "s#\.\./kd/#$checkout/#" "listings/$listing" >"$listing"
            ;;
    esac
done <order
test -s student.safetensors
