"""Checks files that `interop write` wrote, and writes checkpoints for `interop read`.

Usage: compare.py FOLDER CIFAR-100-BINARY-FOLDER
"""

import argparse
import json
import pathlib
import sys

import numpy
import torch
from networks import build
from safetensors import safe_open
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-5


def images(folder, count):
    """The first test images of CIFAR-100, scaled to 0..1, [count, 3, 32, 32]."""
    record = 2 + 3 * 32 * 32
    raw = numpy.fromfile(folder / "test.bin", numpy.uint8, count * record)
    pixels = raw.reshape(count, record)[:, 2:].reshape(count, 3, 32, 32)
    return torch.from_numpy(pixels.astype(numpy.float32) / 255)


def relative(actual, expected):
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def main():
    folder, data = map(pathlib.Path, sys.argv[1:])
    torch.manual_seed(0)
    failed = []
    for path in sorted((folder / "written").glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            info = json.loads(file.metadata()["kd"])
        expected = load_file(folder / "written-logits" / path.name)["logits"]
        network = build(info["architecture"], info.get("form", "trained"), info["classes"])
        network.load_state_dict(load_file(path), strict=True)
        mean = torch.tensor(info["mean"]).view(1, 3, 1, 1)
        std = torch.tensor(info["std"]).view(1, 3, 1, 1)
        x = (images(data, len(expected)) - mean) / std
        with torch.no_grad():
            error = relative(network.eval()(x), expected)
        label = f"{info['architecture']} ({info.get('form', 'trained')})"
        print(f"{label:36} written here, read by torch: {error:.1e}")
        if not error <= TOLERANCE:
            failed.append(label)

        # The other way: weights of torch's own making, as the references save them.
        if info.get("form", "trained") != "trained":
            continue
        network = build(info["architecture"], "trained", info["classes"])
        with torch.no_grad():
            network.train()(x)  # running statistics that are not 0 and 1
            logits = network.eval()(x)
        checkpoint = {"opt": argparse.Namespace(lr=0.05), "model": network.state_dict()}
        torch.save(checkpoint, folder / "torch" / f"{info['architecture']}.pth")
        save_file({"images": x, "logits": logits}, folder / "torch-logits" / path.name)
    if failed:
        sys.exit(f"differ by more than {TOLERANCE:.0e}: {', '.join(failed)}")


main()
