"""Runs each case here and in PyTorch alternately, and prints the ratios as a Markdown table.

Usage: compare.py BINARY [--set NAME] [--rounds N] [--seconds S] [--device NAME] [--data FOLDER]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import torch
from torch_side import measure

FAMILIES = [
    ("resnet20", 64),
    ("resnet8x4", 64),
    ("wrn_16_2", 64),
    ("vgg8", 64),
    ("ResNet18", 64),
    ("ResNet50", 64),
    ("mobilenetv2_050", 64),
    ("shufflenetv1", 64),
    ("shufflenetv2", 64),
    ("represnet20", 64),
    ("repvgg8", 64),
    ("repmobilenetv2", 64),
    ("resnet18-imagenet", 8),
    ("mobilenetv1-imagenet", 8),
]
PAIRS = [("resnet56", "resnet20"), ("resnet32x4", "resnet8x4")]


def training(network, batch):
    return {"what": "training", "network": network, "batch": batch}


def inference(network, batch):
    return {"what": "inference", "network": network, "batch": batch}


def distillation(teacher, student, method, batch, folded, adaptive=False):
    return {
        "what": "distillation",
        "teacher": teacher,
        "student": student,
        "method": method,
        "batch": batch,
        "folded": folded,
        "adaptive": adaptive,
    }


def epoch(teacher, student, images, folder):
    return {
        "what": "epoch",
        "teacher": teacher,
        "student": student,
        "batch": 64,
        "images": images,
        "folder": folder,
    }


def cases(name, data):
    """Label, case and options of each row."""
    rows = []
    if name in ("families", "all"):
        for network, batch in FAMILIES:
            rows.append((f"training, `{network}`, {batch}", training(network, batch), {}))
        for network, batch in FAMILIES:
            rows.append((f"inference, `{network}`, {batch}", inference(network, batch), {}))
    if name in ("steps", "all"):
        for teacher, student in PAIRS:
            for method in ("kd", "at"):
                for folded in (False, True):
                    label = f"{method}, `{teacher}` → `{student}`, 64"
                    label += ", teacher folded" if folded else ""
                    rows.append((label, distillation(teacher, student, method, 64, folded), {}))
            label = f"at, adaptive, `{teacher}` → `{student}`, 64"
            rows.append((label, distillation(teacher, student, "at", 64, False, True), {}))
    if name in ("epochs", "all") and data:
        for teacher, student in PAIRS:
            case = epoch(teacher, student, 1024, data)
            rows.append((f"epoch with data, kd, `{teacher}` → `{student}`, 64", case, {}))
        case = {"what": "data", "batch": 64, "images": 1024, "folder": data}
        rows.append(("data alone, 64", case, {}))
    if name == "images" and data:
        for images in (512, 1024, 2048, 4096):
            label = f"epoch of {images} images, kd, `resnet56` → `resnet20`, 64"
            rows.append((label, epoch("resnet56", "resnet20", images, data), {}))
    if name == "batches":
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            rows.append((f"training, `resnet20`, {batch}", training("resnet20", batch), {}))
            rows.append((f"inference, `resnet20`, {batch}", inference("resnet20", batch), {}))
    if name == "threads":
        for threads in (1, 2):
            for network in ("resnet20", "resnet8x4"):
                for kind in (training, inference):
                    case = kind(network, 64)
                    label = f"{case['what']}, `{network}`, 64, {threads} threads"
                    rows.append((label, case, {"threads": threads}))
    if name == "memory":
        for network in ("resnet20", "resnet8x4"):
            for kind in (training, inference):
                for batch in (64, 256):
                    case = kind(network, batch)
                    rows.append((f"{case['what']}, `{network}`, {batch}", case, {}))
    if name == "cuda":
        steps = [(*pair, "kd") for pair in reversed(PAIRS)]
        steps += [("resnet32x4", "resnet8x4", method) for method in ("at", "crd")]
        for teacher, student, method in steps:
            for batch in (64, 512):
                for mode in ("eager", "compile", "graph"):
                    for bf16 in (False, True):
                        case = distillation(teacher, student, method, batch, True)
                        label = f"{method}, `{teacher}` → `{student}`, {batch}, {mode}"
                        label += ", bf16" if bf16 else ""
                        rows.append((label, case, {"mode": mode, "bf16": bf16}))
        for batch in (64, 512):
            label = f"at, adaptive, `resnet32x4` → `resnet8x4`, {batch}, eager"
            case = distillation("resnet32x4", "resnet8x4", "at", batch, True, True)
            rows.append((label, case, {"mode": "eager", "bf16": False}))
    return rows


def start(command, **environment):
    """A process that answers requests."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def answer(process, request):
    """What it measures for a request."""
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def peak(command, request):
    """Largest resident memory in MiB of a process that answers one request."""
    process = start(command)
    answer(process, request)
    # What the system says of an ended child counts the memory that its parent had.
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    process.stdin.close()
    process.wait()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory(arguments):
    """Largest memory of each case, each in a process of its own."""
    print("| case, batch | here, MiB | PyTorch, MiB |")
    print("|---|--:|--:|")
    side = pathlib.Path(__file__).with_name("torch_side.py")
    for label, case, _ in cases("memory", None):
        request = {"case": case, "seconds": arguments.seconds, "device": arguments.device}
        own = peak([arguments.binary], request)
        other = peak([sys.executable, str(side)], request)
        print(f"| {label} | {own:.0f} | {other:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--set", default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--device", default="flex")
    parser.add_argument("--data")
    parser.add_argument("--burn", action="store_true", help="Burn's own operations as well")
    parser.add_argument("only", nargs="*", help="rows whose label contains one of these")
    arguments = parser.parse_intermixed_args()
    theirs = "cuda" if arguments.device.startswith("cuda") else "cpu"

    if arguments.set == "memory":
        return memory(arguments)
    ours = {}
    most = torch.get_num_threads()

    def ask(case, bf16, threads, kernels):
        # A process a number type and number of threads, which are set once.
        key = (bf16, threads)
        if key not in ours:
            ours[key] = start([arguments.binary], RAYON_NUM_THREADS=str(threads))
        request = {
            "case": case,
            "seconds": arguments.seconds,
            "device": arguments.device,
            "bf16": bf16,
            "kernels": kernels,
        }
        return answer(ours[key], request)

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.device}\n")
    burn = " Burn alone |" if arguments.burn else ""
    print(f"| case, batch | here |{burn} PyTorch | ratio | lowest to highest |")
    print("|---|--:|" + ("--:|" if arguments.burn else "") + "--:|--:|--:|")
    for label, case, options in cases(arguments.set, arguments.data):
        if arguments.only and not any(part in label for part in arguments.only):
            continue
        bf16 = options.get("bf16", False)
        threads = options.pop("threads", most)
        torch.set_num_threads(threads)
        pairs = []
        alone = ask(case, bf16, threads, False) if arguments.burn else None
        for _ in range(arguments.rounds):
            own = ask(case, bf16, threads, True)
            other = measure(case, arguments.seconds, theirs, **options)
            pairs.append((own, other))
        ratios = [own / other for own, other in pairs]
        own, other = (statistics.median(side) for side in zip(*pairs))
        burn = f" {alone:.1f} |" if arguments.burn else ""
        print(
            f"| {label} | {own:.1f} |{burn} {other:.1f} | {statistics.median(ratios):.2f} "
            f"| {min(ratios):.2f} to {max(ratios):.2f} |",
            flush=True,
        )
    for process in ours.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
