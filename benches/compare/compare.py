"""Runs each case here and in PyTorch alternately, and prints the ratios as a Markdown table.

Usage: compare.py BINARY [--set NAME] [--rounds N] [--seconds S] [--device NAME] [--data FOLDER]
"""

import argparse
import json
import statistics
import subprocess

import torch
from torch_side import measure

FAMILIES = [
    ("resnet20", 64),
    ("resnet8x4", 64),
    ("wrn_16_2", 64),
    ("vgg8", 64),
    ("ResNet18", 64),
    ("ResNet50", 16),
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


def distillation(teacher, student, method, batch, folded):
    return {
        "what": "distillation",
        "teacher": teacher,
        "student": student,
        "method": method,
        "batch": batch,
        "folded": folded,
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
    if name in ("epochs", "all") and data:
        for teacher, student in PAIRS:
            case = {
                "what": "epoch",
                "teacher": teacher,
                "student": student,
                "batch": 64,
                "images": 1024,
                "folder": data,
            }
            rows.append((f"epoch with data, kd, `{teacher}` → `{student}`, 64", case, {}))
    if name == "batches":
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            rows.append((f"training, `resnet20`, {batch}", training("resnet20", batch), {}))
            rows.append((f"inference, `resnet20`, {batch}", inference("resnet20", batch), {}))
    if name == "cuda":
        for teacher, student in reversed(PAIRS):
            for batch in (64, 512):
                for mode in ("eager", "compile", "graph"):
                    for bf16 in (False, True):
                        case = distillation(teacher, student, "kd", batch, True)
                        label = f"kd, `{teacher}` → `{student}`, {batch}, {mode}"
                        label += ", bf16" if bf16 else ""
                        rows.append((label, case, {"mode": mode, "bf16": bf16}))
    return rows


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

    ours = {}

    def ask(case, bf16, kernels):
        # A process a number type: the type of a device is configured once.
        if bf16 not in ours:
            ours[bf16] = subprocess.Popen(
                [arguments.binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        request = {
            "case": case,
            "seconds": arguments.seconds,
            "device": arguments.device,
            "bf16": bf16,
            "kernels": kernels,
        }
        ours[bf16].stdin.write(json.dumps(request) + "\n")
        ours[bf16].stdin.flush()
        return float(ours[bf16].stdout.readline())

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.device}\n")
    burn = " Burn alone |" if arguments.burn else ""
    print(f"| case, batch | here |{burn} PyTorch | ratio | lowest to highest |")
    print("|---|--:|" + ("--:|" if arguments.burn else "") + "--:|--:|--:|")
    for label, case, options in cases(arguments.set, arguments.data):
        if arguments.only and not any(part in label for part in arguments.only):
            continue
        bf16 = options.get("bf16", False)
        pairs = []
        alone = ask(case, bf16, False) if arguments.burn else None
        for _ in range(arguments.rounds):
            own = ask(case, bf16, True)
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
