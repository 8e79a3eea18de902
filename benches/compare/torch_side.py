"""The PyTorch side: the same cases as main.rs measures, eager or captured."""

import pathlib
import sys
import time

import numpy
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/interop"))
from networks import build  # noqa: E402

CLASSES = 100
MEAN = (0.5071, 0.4867, 0.4408)
STD = (0.2675, 0.2565, 0.2761)


def size_of(network):
    return 224 if network.endswith("-imagenet") and not network.startswith("vgg") else 32


def inputs(network, batch, device):
    size = size_of(network)
    return (
        torch.randn(batch, 3, size, size, device=device),
        torch.arange(batch, device=device) % CLASSES,
    )


def sync(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def speed(device, images, seconds, run):
    for _ in range(2):
        run()
    sync(device)
    start, runs = time.perf_counter(), 0
    while runs < 2 or time.perf_counter() - start < seconds:
        run()
        sync(device)
        runs += 1
    return images * runs / (time.perf_counter() - start)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=5e-4)


def kd_loss(student, teacher, temperature=4.0):
    """KL divergence of softened logits, times T² (Hinton et al. 2015)."""
    log_p = F.log_softmax(student / temperature, dim=1)
    q = F.softmax(teacher / temperature, dim=1)
    return F.kl_div(log_p, q, reduction="batchmean") * temperature**2


def at_loss(student, teacher):
    """Squared distance of normalised attention maps (Zagoruyko & Komodakis 2017)."""

    def attention(x):
        return F.normalize(x.pow(2).mean(1).flatten(1))

    return sum((attention(s) - attention(t)).pow(2).mean() for s, t in zip(student, teacher))


class Distillation:
    """A step of distillation as the references' loops do it."""

    def __init__(self, case, device, bf16):
        self.method = case["method"]
        self.bf16 = bf16
        self.device = device
        self.teacher = build(case["teacher"], "trained", CLASSES).to(device).eval()
        self.student = build(case["student"], "trained", CLASSES).to(device).train()
        self.maps = {}
        if self.method == "at":
            for name, network in [("teacher", self.teacher), ("student", self.student)]:
                self.maps[name] = []
                for stage in (network.layer1, network.layer2, network.layer3):
                    stage.register_forward_hook(
                        lambda _, __, output, name=name: self.maps[name].append(output)
                    )
        elif self.method != "kd":
            raise ValueError(f"no such method here: {self.method}")
        self.optimizer = sgd(self.student.parameters())

    def loss(self, images, labels):
        for maps in self.maps.values():
            maps.clear()
        with torch.no_grad():
            soft = self.teacher(images)
        logits = self.student(images)
        if self.method == "at":
            loss = 1000.0 * at_loss(self.maps["student"], self.maps["teacher"])
            return F.cross_entropy(logits, labels) + loss
        return 0.1 * F.cross_entropy(logits, labels) + 0.9 * kd_loss(logits, soft)

    def step(self, images, labels):
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=self.bf16):
            loss = self.loss(images, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def captured(step, images, labels):
    """The step as one CUDA graph, replayed."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(images, labels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(images, labels)
    return graph.replay


class Cifar(torch.utils.data.Dataset):
    """CIFAR-100 with the crop and flip of the references, image by image."""

    def __init__(self, folder, count):
        record = 2 + 3072
        raw = numpy.fromfile(pathlib.Path(folder) / "train.bin", numpy.uint8, count * record)
        raw = raw.reshape(count, record)
        self.labels = raw[:, 1].astype(numpy.int64)
        self.images = torch.from_numpy(raw[:, 2:].reshape(count, 3, 32, 32).copy())
        self.mean = torch.tensor(MEAN).view(3, 1, 1)
        self.std = torch.tensor(STD).view(3, 1, 1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = F.pad(self.images[index], (4, 4, 4, 4))
        top, left = torch.randint(0, 9, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        return (image.float() / 255 - self.mean) / self.std, self.labels[index]


def measure(case, seconds, device, mode="eager", bf16=False):
    """Images a second; `mode` is eager, compile or graph."""
    if case["what"] == "inference":
        images, _ = inputs(case["network"], case["batch"], device)
        network = build(case["network"], "trained", CLASSES).to(device).eval()
        if mode == "compile":
            network = torch.compile(network)
        with torch.no_grad():
            return speed(device, case["batch"], seconds, lambda: network(images))
    if case["what"] == "training":
        images, labels = inputs(case["network"], case["batch"], device)
        network = build(case["network"], "trained", CLASSES).to(device).train()
        optimizer = sgd(network.parameters())

        def step():
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

        return speed(device, case["batch"], seconds, step)
    if case["what"] == "distillation":
        images, labels = inputs(case["student"], case["batch"], device)
        distillation = Distillation(case, device, bf16)
        step = distillation.step
        if mode == "compile":
            step = torch.compile(step)
        run = captured(step, images, labels) if mode == "graph" else lambda: step(images, labels)
        return speed(device, case["batch"], seconds, run)
    if case["what"] == "epoch":
        distillation = Distillation({**case, "method": "kd"}, device, bf16)
        loader = torch.utils.data.DataLoader(
            Cifar(case["folder"], case["images"]),
            batch_size=case["batch"],
            shuffle=True,
            drop_last=True,
        )

        def epoch():
            for images, labels in loader:
                distillation.step(images.to(device), labels.to(device))

        count = case["images"] // case["batch"] * case["batch"]
        return speed(device, count, seconds, epoch)
    raise ValueError(f"no such case: {case}")
