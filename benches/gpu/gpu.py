"""Asks our binary and PyTorch for the same steps in turns, as long as there is time, and prints a table.

Usage: gpu.py BINARY [--device cuda] [--minutes 8] [--out FOLDER] [--recipe FILE]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TORCH = HERE.parent / "compare"
PAIRS = [
    ("resnet56", "resnet20"),
    ("resnet32x4", "resnet8x4"),
    ("wrn_40_2", "wrn_16_2"),
    ("vgg13", "vgg8"),
]
METHODS = [("kd", False), ("at", False), ("crd", False), ("at", True)]
MODES = ["eager", "graph", "compile"]
SPEEDS = ["eager", "recorded"]


def cases():
    """What is measured, the most important first."""
    first, *others = PAIRS
    yield from ((first, method, adaptive, 64) for method, adaptive in METHODS)
    yield others[0], "kd", False, 64
    yield from ((first, method, adaptive, 512) for method, adaptive in METHODS)
    yield from ((others[0], method, adaptive, 64) for method, adaptive in METHODS[1:])
    yield from ((others[0], method, adaptive, 512) for method, adaptive in METHODS)
    for batch in (64, 512):
        for pair in others[1:]:
            yield from ((pair, method, adaptive, batch) for method, adaptive in METHODS)


class Clock:
    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes

    def left(self):
        return self.end - time.monotonic()


def lines_of(command, seconds, environment=None):
    """The lines of JSON that a process prints, and what became of it."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=max(seconds, 1), env=environment
        )
        output, problem = done.stdout, None
        if done.returncode:
            problem = f"exit {done.returncode}: {done.stderr.strip()[-2000:]}"
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode()
        problem = f"stopped after {seconds:.0f} s"
    lines = []
    for line in output.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            pass
    return lines, problem


def ours(options, case, parts, seconds):
    (teacher, student), method, adaptive, batch = case
    request = {
        "device": options.device,
        "teacher": teacher,
        "student": student,
        "method": method,
        "adaptive": adaptive,
        "batch": batch,
        "images": options.images,
        "seconds": options.seconds,
        "parts": parts,
    }
    environment = {**os.environ, "HOME": options.home, "XDG_CACHE_HOME": f"{options.home}/.cache"}
    lines, problem = lines_of([options.binary, json.dumps(request)], seconds, environment)
    found = {line["part"]: line.get("value", {"error": line.get("error")}) for line in lines}
    if problem:
        found["problem"] = problem
    return found


def torch(options, case, seconds):
    (teacher, student), method, adaptive, batch = case
    # The reference's routing gathers samples: its shapes are not known before a step.
    modes = ["eager"] if adaptive else MODES[:2]
    # Compiling takes about as long as all other measurements of a case.
    if case == next(cases()):
        modes = MODES
    program = """
import json, sys, traceback
sys.path.insert(0, sys.argv[1])
from torch_side import measure
case, seconds, device = json.loads(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
for mode in sys.argv[5:]:
    try:
        value = measure(case, seconds, device, mode)
    except Exception as error:
        value = {"error": str(error)[:500]}
    print(json.dumps({"mode": mode, "value": value}), flush=True)
"""
    request = {
        "what": "distillation",
        "teacher": teacher,
        "student": student,
        "method": method,
        "batch": batch,
        "folded": True,
        "adaptive": adaptive,
    }
    command = [sys.executable, "-c", program, str(TORCH), json.dumps(request)]
    lines, problem = lines_of([*command, str(options.seconds), options.device, *modes], seconds)
    found = {line["mode"]: line["value"] for line in lines}
    if problem:
        found["problem"] = problem
    return found


def label(case):
    (teacher, student), method, adaptive, batch = case
    return f"{method}{' adaptive' if adaptive else ''}, {teacher} → {student}, {batch}"


def number(value):
    return f"{value:,.0f}" if isinstance(value, (int, float)) else "–"


def table(rows):
    head = ["images a second", *SPEEDS, *(f"PyTorch {mode}" for mode in MODES)]
    print("| " + " | ".join(head) + " |")
    print("|---" + "|--:" * (len(head) - 1) + "|")
    for row in rows:
        own = [number(row["ours"].get(part)) for part in SPEEDS]
        other = [number(row["torch"].get(mode)) for mode in MODES]
        print("| " + " | ".join([row["label"], *own, *other]) + " |", flush=True)


def card(options):
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return options.device


def trained(options, clock):
    """As many epochs of a recipe as there is time for."""
    out = pathlib.Path(options.out) / "run"
    command = [options.binary, "run", options.recipe, str(out), options.device]
    started = time.monotonic()
    lines, problem = lines_of(command, clock.left())
    metrics = out / "metrics.jsonl"
    epochs = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    last = epochs[-1] if epochs else {}
    return {
        "epochs": len(epochs),
        "top1": last.get("test", {}).get("top1"),
        "seconds": time.monotonic() - started,
        "problem": problem,
        "lines": lines,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seconds", type=float, default=1.5)
    # CIFAR's whole batches of 64: the last one would have kernels of its own to choose.
    parser.add_argument("--images", type=int, default=49_984)
    parser.add_argument("--out", default=os.environ.get("OUT") or "target/gpu")
    parser.add_argument("--recipe", help="a recipe to train by in the time that is left")
    parser.add_argument("--only", type=int, help="so many cases at most")
    options = parser.parse_args()
    clock = Clock(options.minutes)
    pathlib.Path(options.out).mkdir(parents=True, exist_ok=True)
    options.home = tempfile.mkdtemp()
    report = {"card": card(options), "rows": [], "left_out": []}

    def write():
        text = json.dumps(report, indent=1)
        (pathlib.Path(options.out) / "gpu.json").write_text(text)

    first = next(cases())
    report["cold"] = ours(options, first, ["first_step"], clock.left())
    report["warm"] = ours(options, first, ["first_step"], clock.left())
    write()
    print(report["card"], "first step:", report["cold"], "then:", report["warm"], flush=True)
    for index, case in enumerate(cases()):
        # A recipe gets a third of the time.
        reserve = 20 * options.minutes if options.recipe else 0
        if options.only == index or clock.left() - reserve < 45:
            report["left_out"] = [label(case) for case in list(cases())[index:]]
            break
        parts = ["first_step", "eager", "launches", "record", "recorded"] + ["epoch"] * (case == first)
        row = {"label": label(case)}
        row["ours"] = ours(options, case, parts, min(180, clock.left() - reserve))
        row["torch"] = torch(options, case, min(120, clock.left() - reserve))
        report["rows"].append(row)
        write()
        print(json.dumps(row), flush=True)
    if options.recipe and clock.left() > 30:
        report["trained"] = trained(options, clock)
        print("trained:", report["trained"], flush=True)
    write()
    table(report["rows"])
    if report["left_out"]:
        print("no time for:", "; ".join(report["left_out"]))


if __name__ == "__main__":
    main()
