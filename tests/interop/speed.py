"""Images a second in PyTorch, eager, on the CPU: the counterpart of the `families` benchmark.

Usage: speed.py [NAME...]
"""

import sys
import time

import torch
from networks import build

NETWORKS = [
    ("resnet20", 64, 32),
    ("resnet8x4", 64, 32),
    ("wrn_16_2", 64, 32),
    ("vgg8", 64, 32),
    ("ResNet18", 64, 32),
    ("ResNet50", 16, 32),
    ("mobilenetv2_050", 64, 32),
    ("mobilenetv2_100", 64, 32),
    ("shufflenetv1", 64, 32),
    ("shufflenetv2", 64, 32),
    ("represnet20", 64, 32),
    ("represnet8x4", 64, 32),
    ("repvgg8", 64, 32),
    ("repmobilenetv2", 64, 32),
    ("repshufflenetv1", 64, 32),
    ("resnet18-imagenet", 8, 224),
    ("mobilenetv1-imagenet", 8, 224),
]


def seconds(run):
    run()
    start, runs = time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - start < 2:
        run()
        runs += 1
    return (time.perf_counter() - start) / runs


print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
for name, batch, size in NETWORKS:
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    network = build(name, "trained", 100)
    x = torch.randn(batch, 3, size, size)
    network.train()
    training = seconds(lambda: network(x).sum().backward())
    network.eval()
    with torch.no_grad():
        inference = seconds(lambda: network(x))
    print(f"{name:22} {batch:5} | {batch / inference:9.1f} | {batch / training:9.1f}", flush=True)
