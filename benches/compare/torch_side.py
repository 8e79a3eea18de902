"""The PyTorch side: the same cases as main.rs measures, eager or captured."""

import json
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
    """Squared distance of normalized attention maps (Zagoruyko & Komodakis 2017)."""

    def attention(x):
        return F.normalize(x.pow(2).mean(1).flatten(1))

    return sum((attention(s) - attention(t)).pow(2).mean() for s, t in zip(student, teacher))


class Contrast(torch.nn.Module):
    """Contrastive distillation (Tian et al. 2020): each network's embeddings against a bank of the
    other's, one positive and many negatives a sample."""

    def __init__(self, student, teacher, samples=50_000, negatives=16_384, width=128):
        super().__init__()
        self.embed = torch.nn.ModuleList(
            [torch.nn.Linear(student, width), torch.nn.Linear(teacher, width)]
        )
        bound = (3.0 / width) ** 0.5
        for name in ("student_bank", "teacher_bank"):
            self.register_buffer(name, torch.empty(samples, width).uniform_(-bound, bound))
        self.samples = samples
        self.negatives = negatives
        self.normalizers = [None, None]

    def forward(self, student, teacher, indices, temperature=0.07, momentum=0.5):
        own, other = (F.normalize(e(x)) for e, x in zip(self.embed, (student, teacher)))
        shape = (len(indices), self.negatives + 1)
        chosen = torch.randint(0, self.samples, shape, device=indices.device)
        chosen[:, 0] = indices
        loss = 0.0
        pairs = [(own, self.teacher_bank), (other, self.student_bank)]
        for side, (embedded, bank) in enumerate(pairs):
            scores = torch.bmm(bank[chosen], embedded.unsqueeze(2)).squeeze(2)
            scores = torch.exp(scores.float() / temperature)
            if self.normalizers[side] is None:
                self.normalizers[side] = scores.detach().mean() * self.samples
            scores = scores / self.normalizers[side]
            noise = self.negatives / self.samples
            positive, negative = scores[:, 0], scores[:, 1:]
            terms = (positive / (positive + noise)).log().sum()
            terms = terms + (noise / (negative + noise)).log().sum()
            loss = loss - terms / len(indices)
        with torch.no_grad():
            for bank, embedded in ((self.student_bank, own), (self.teacher_bank, other)):
                mixed = bank[indices] * momentum + embedded.float() * (1 - momentum)
                bank[indices] = F.normalize(mixed)
        return loss


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
        parameters = list(self.student.parameters())
        if self.method == "crd":
            widths = []
            for name, network in [("student", self.student), ("teacher", self.teacher)]:
                self.maps[name] = []
                linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]
                linear.register_forward_pre_hook(
                    lambda _, inputs, name=name: self.maps[name].append(inputs[0])
                )
                widths.append(linear.in_features)
            self.contrast = Contrast(*widths).to(device)
            parameters += self.contrast.parameters()
            self.indices = torch.arange(case["batch"], device=device)
        elif self.method not in ("kd", "at"):
            raise ValueError(f"no such method here: {self.method}")
        self.optimizer = sgd(parameters)

    def loss(self, images, labels):
        for maps in self.maps.values():
            maps.clear()
        with torch.no_grad():
            soft = self.teacher(images)
        logits = self.student(images)
        if self.method == "at":
            loss = 1000.0 * at_loss(self.maps["student"], self.maps["teacher"])
            return F.cross_entropy(logits, labels) + loss
        if self.method == "crd":
            pooled = (self.maps["student"][0], self.maps["teacher"][0])
            return F.cross_entropy(logits, labels) + 0.8 * self.contrast(*pooled, self.indices)
        return 0.1 * F.cross_entropy(logits, labels) + 0.9 * kd_loss(logits, soft)

    def step(self, images, labels):
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=self.bf16):
            loss = self.loss(images, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


class Adaptive:
    """A step of attention transfer with spot-adaptive routing (Song et al. 2022), in the order and with
    the passes of the reference's loop: chosen samples are gathered, the student's weights get gradients
    from the grafted network that are thrown away, and each objective has its own backward pass."""

    def __init__(self, case, device):
        self.teacher = build(case["teacher"], "trained", CLASSES).to(device).eval()
        self.student = build(case["student"], "trained", CLASSES).to(device).train()
        for parameter in self.teacher.parameters():
            parameter.requires_grad_(False)
        last = [network.fc.in_features for network in self.networks()]
        own, other = ((width // 4, width // 2, width) for width in last)
        self.hints = torch.nn.ModuleList(map(self.bridge, own, other)).to(device)
        self.anti_hints = torch.nn.ModuleList(map(self.bridge, other, own)).to(device)
        self.policy = torch.nn.Linear(own[2] + other[2], 8).to(device)
        agent = [*self.policy.parameters(), *self.hints.parameters(), *self.anti_hints.parameters()]
        self.agent = torch.optim.SGD(agent, lr=0.025, momentum=0.9, weight_decay=1e-3)
        self.optimizer = sgd(self.student.parameters())

    gamma = 1.0

    def networks(self):
        return self.student, self.teacher

    @staticmethod
    def bridge(inputs, outputs):
        return torch.nn.Sequential(
            torch.nn.Conv2d(inputs, outputs, 1), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()
        )

    @staticmethod
    def segment(network, index, x):
        if index == 0:
            x = F.relu(network.bn1(network.conv1(x)))
        return network.fc(x.mean((2, 3))) if index == 3 else getattr(network, f"layer{index + 1}")(x)

    def features(self, network, x):
        maps = []
        for index in range(3):
            x = self.segment(network, index, x)
            maps.append(x)
        return maps, x.mean((2, 3)), self.segment(network, 3, x)

    def grafted(self, images, shares):
        own, other = (self.segment(network, 0, images) for network in self.networks())
        for index in range(3):
            share = shares[:, index].view(-1, 1, 1, 1)
            hint, anti_hint = self.hints[index](own), self.anti_hints[index](other)
            own, other = (1 - share) * own + share * anti_hint, (1 - share) * hint + share * other
            own = self.segment(self.student, index + 1, own)
            other = self.segment(self.teacher, index + 1, other)
        share = shares[:, 3:]
        return (1 - share) * own + share * other

    def step(self, images, labels):
        with torch.no_grad():
            soft, pooled, _ = self.features(self.teacher, images)
        maps, own_pooled, logits = self.features(self.student, images)
        choice = self.policy(torch.cat([pooled, own_pooled.detach()], 1)).view(-1, 4, 2)
        shares = F.gumbel_softmax(choice, tau=5.0, hard=True)[:, :, 0]
        ce = F.cross_entropy(logits, labels)
        loss = ce
        for index in range(3):
            chosen = shares[:, index] > 0.5
            if chosen.any():
                gathered = at_loss([maps[index][chosen]], [soft[index][chosen]])
                loss = loss + 1000.0 * gathered * chosen.float().mean()

        self.student.eval()
        graft = F.cross_entropy(self.grafted(images, shares), labels)
        self.student.train()
        if graft > ce:
            graft = graft * self.gamma
        if graft < ce:
            graft = graft / self.gamma
        routing = graft + F.relu(len(images) / 2 - shares[:, 3].sum())
        self.agent.zero_grad()
        routing.backward()
        self.agent.step()
        self.optimizer.zero_grad()
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
    if case["what"] == "distillation" and case["adaptive"]:
        step = Adaptive(case, device).step
        images, labels = inputs(case["student"], case["batch"], device)
        return speed(device, case["batch"], seconds, lambda: step(images, labels))
    if case["what"] == "distillation":
        images, labels = inputs(case["student"], case["batch"], device)
        distillation = Distillation(case, device, bf16)
        step = distillation.step
        if mode == "compile":
            step = torch.compile(step)
        run = captured(step, images, labels) if mode == "graph" else lambda: step(images, labels)
        return speed(device, case["batch"], seconds, run)
    if case["what"] in ("data", "epoch"):
        loader = torch.utils.data.DataLoader(
            Cifar(case["folder"], case["images"]),
            batch_size=case["batch"],
            shuffle=True,
            drop_last=True,
        )
        step = lambda images, labels: None
        if case["what"] == "epoch":
            step = Distillation({**case, "method": "kd"}, device, bf16).step

        def epoch():
            for images, labels in loader:
                step(images.to(device), labels.to(device))

        count = case["images"] // case["batch"] * case["batch"]
        return speed(device, count, seconds, epoch)
    raise ValueError(f"no such case: {case}")


if __name__ == "__main__":
    # As main.rs: a request a line.
    for line in sys.stdin:
        request = json.loads(line)
        print(measure(request["case"], request["seconds"], "cpu"), flush=True)
