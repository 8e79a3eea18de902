"""The networks in PyTorch, with the parameter names under which the references publish weights.

Written for the comparison in compare.py: forward gives logits, nothing else.
"""

import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs, outputs, kernel, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)


class Branches(nn.Module):
    """KDrefine's asymmetric multi-branch block, or its merged form."""

    class Square(nn.Module):
        def __init__(self, *args, **kwargs):
            super().__init__()
            self.conv = conv(*args, **kwargs)
            self.bn = nn.BatchNorm2d(self.conv.out_channels)

        def forward(self, x):
            return self.bn(self.conv(x))

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, merged=False):
        super().__init__()
        args = (inputs, outputs, kernel, stride, groups)
        self.merged = merged
        if merged:
            self.tdb_reparam = conv(*args, bias=True)
            return
        self.duplicate1 = self.Square(*args)
        self.duplicate2 = self.Square(*args)
        self.duplicate3 = self.Square(*args)
        half = kernel // 2
        self.ver_conv = nn.Conv2d(
            inputs, outputs, (kernel, 1), stride, (half, 0), groups=groups, bias=False
        )
        self.hor_conv = nn.Conv2d(
            inputs, outputs, (1, kernel), stride, (0, half), groups=groups, bias=False
        )
        self.ver_bn = nn.BatchNorm2d(outputs)
        self.hor_bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        if self.merged:
            return self.tdb_reparam(x)
        squares = self.duplicate1(x) + self.duplicate2(x) + self.duplicate3(x)
        return squares + self.ver_bn(self.ver_conv(x)) + self.hor_bn(self.hor_conv(x))


class Pointwise(nn.Module):
    """A 1x1 convolution among re-parameterizable units."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, merged=False):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride, groups, bias=merged)
        if not merged:
            self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = self.conv(x)
        return self.bn(x) if hasattr(self, "bn") else x


class Units:
    """How a network is built: plain, of multi-branch blocks, or of those merged."""

    def __init__(self, kind="plain"):
        self.kind = kind

    @property
    def plain(self):
        return self.kind == "plain"

    def unit(self, inputs, outputs, kernel, stride=1, groups=1):
        block = Branches if kernel > 1 else Pointwise
        return block(inputs, outputs, kernel, stride, groups, merged=self.kind == "merged")


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, units, bottleneck, shortcut):
        super().__init__()
        inner = outputs // 4
        specs = (
            [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)]
            if bottleneck
            else [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        )
        self.depth = len(specs)
        self.plain = units.plain
        self.shortcut_name = shortcut
        for index, spec in enumerate(specs, 1):
            if units.plain:
                setattr(self, f"conv{index}", conv(*spec))
                setattr(self, f"bn{index}", nn.BatchNorm2d(spec[1]))
            else:
                setattr(self, f"conv{index}", units.unit(*spec))
        self.projected = stride != 1 or inputs != outputs
        if self.projected:
            projection = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
            setattr(self, shortcut, projection)

    def forward(self, x):
        out = x
        for index in range(1, self.depth + 1):
            out = F.relu(out) if index > 1 else out
            out = getattr(self, f"conv{index}")(out)
            if self.plain:
                out = getattr(self, f"bn{index}")(out)
        return F.relu(out + (getattr(self, self.shortcut_name)(x) if self.projected else x))


class ResNet(nn.Module):
    def __init__(
        self,
        blocks,
        channels,
        classes,
        bottleneck=False,
        units=Units(),
        imagenet=False,
        shortcut="downsample",
        layer="layer",
        head="fc",
    ):
        super().__init__()
        self.plain, self.imagenet, self.head = units.plain, imagenet, head
        stem = (3, channels[0], 7, 2) if imagenet else (3, channels[0], 3, 1)
        self.conv1 = conv(*stem) if units.plain else units.unit(*stem)
        if units.plain:
            self.bn1 = nn.BatchNorm2d(channels[0])
        self.layers = []
        for index, count in enumerate(blocks):
            inputs, outputs = channels[index], channels[index + 1]
            stride = 1 if index == 0 else 2
            stage = [ResidualBlock(inputs, outputs, stride, units, bottleneck, shortcut)]
            for _ in range(count - 1):
                stage.append(ResidualBlock(outputs, outputs, 1, units, bottleneck, shortcut))
            self.layers.append(f"{layer}{index + 1}")
            setattr(self, self.layers[-1], nn.Sequential(*stage))
        setattr(self, head, nn.Linear(channels[-1], classes))

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(self.bn1(x) if self.plain else x)
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for layer in self.layers:
            x = getattr(self, layer)(x)
        return getattr(self, self.head)(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = conv(outputs, outputs, 3)
        self.convShortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None

    def forward(self, x):
        out = F.relu(self.bn1(x))
        shortcut = x if self.convShortcut is None else self.convShortcut(out)
        return shortcut + self.conv2(F.relu(self.bn2(self.conv1(out))))


class WideStage(nn.Module):
    def __init__(self, count, inputs, outputs, stride):
        super().__init__()
        rest = [WideBlock(outputs, outputs, 1) for _ in range(count - 1)]
        self.layer = nn.Sequential(WideBlock(inputs, outputs, stride), *rest)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth, widen, classes):
        super().__init__()
        count, channels = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = conv(3, 16, 3)
        self.block1 = WideStage(count, channels[0], channels[1], 1)
        self.block2 = WideStage(count, channels[1], channels[2], 2)
        self.block3 = WideStage(count, channels[2], channels[3], 2)
        self.bn1 = nn.BatchNorm2d(channels[3])
        self.fc = nn.Linear(channels[3], classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class Vgg(nn.Module):
    def __init__(self, convs, classes, units=Units(), imagenet=False):
        super().__init__()
        self.imagenet = imagenet
        inputs = 3
        for index, (count, outputs) in enumerate(zip(convs, [64, 128, 256, 512, 512])):
            layers = []
            for _ in range(count):
                if units.plain:
                    layers += [conv(inputs, outputs, 3, bias=True), nn.BatchNorm2d(outputs)]
                else:
                    layers.append(units.unit(inputs, outputs, 3))
                layers.append(nn.ReLU())
                inputs = outputs
            setattr(self, f"block{index}", nn.Sequential(*layers))
        if imagenet:
            self.classifier = nn.Sequential(
                nn.Linear(512 * 49, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, classes),
            )
        else:
            self.classifier = nn.Linear(512, classes)

    def forward(self, x):
        for index in range(5):
            pooled = index in (1, 2, 3) or (index == 4 and (self.imagenet or x.shape[2] >= 8))
            x = F.max_pool2d(x, 2, 2) if pooled else x
            x = getattr(self, f"block{index}")(x)
        if self.imagenet:
            return self.classifier(F.adaptive_avg_pool2d(F.max_pool2d(x, 2, 2), 7).flatten(1))
        return self.classifier(x.mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, expansion, stride, units):
        super().__init__()
        inner = inputs * expansion
        specs = [
            (inputs, inner, 1, 1, 1),
            (inner, inner, 3, stride, inner),
            (inner, outputs, 1, 1, 1),
        ]
        layers = []
        for spec in specs:
            if units.plain:
                layers += [conv(*spec), nn.BatchNorm2d(spec[1])]
            else:
                layers.append(units.unit(*spec))
            layers.append(nn.ReLU())
        self.conv = nn.Sequential(*layers[:-1])
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    SETTINGS = [
        (1, 16, 1, 1),
        (6, 24, 2, 1),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]

    def __init__(self, width, classes, units=Units()):
        super().__init__()

        def unit(*spec):
            if units.plain:
                return nn.Sequential(conv(*spec), nn.BatchNorm2d(spec[1]), nn.ReLU())
            return nn.Sequential(units.unit(*spec), nn.ReLU())

        inputs = int(32 * width)
        self.conv1 = unit(3, inputs, 3, 2)
        runs = []
        for expansion, channels, count, stride in self.SETTINGS:
            outputs, run = int(channels * width), []
            for index in range(count):
                first = stride if index == 0 else 1
                run.append(InvertedResidual(inputs, outputs, expansion, first, units))
                inputs = outputs
            runs.append(nn.Sequential(*run))
        self.blocks = nn.ModuleList(runs)
        self.conv2 = unit(inputs, 1280, 1)
        self.classifier = nn.Sequential(nn.Linear(1280, classes))

    def forward(self, x):
        x = self.conv1(x)
        for run in self.blocks:
            x = run(x)
        return self.classifier(self.conv2(x).mean((2, 3)))


class MobileNetV1(nn.Module):
    BLOCKS = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]

    def __init__(self, classes):
        super().__init__()

        def unit(*spec):
            return [conv(*spec), nn.BatchNorm2d(spec[1]), nn.ReLU()]

        layers, inputs = [nn.Sequential(*unit(3, 32, 3, 2))], 32
        for outputs, stride in self.BLOCKS:
            depthwise = unit(inputs, inputs, 3, stride, inputs)
            layers.append(nn.Sequential(*depthwise, *unit(inputs, outputs, 1)))
            inputs = outputs
        self.model = nn.Sequential(*layers)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.fc(self.model(x).mean((2, 3)))


def shuffle(x, groups):
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleV1Block(nn.Module):
    def __init__(self, inputs, total, stride, units):
        super().__init__()
        outputs = total - inputs if stride == 2 else total
        inner = outputs // 4
        self.groups, self.stride = (1 if inputs == 24 else 3), stride
        self.conv1 = conv(inputs, inner, 1, groups=self.groups)
        self.bn1 = nn.BatchNorm2d(inner)
        if units.plain:
            self.conv2 = conv(inner, inner, 3, stride, inner)
            self.bn2 = nn.BatchNorm2d(inner)
        else:
            self.conv2 = units.unit(inner, inner, 3, stride, inner)
        self.conv3 = conv(inner, outputs, 1, groups=3)
        self.bn3 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        out = shuffle(F.relu(self.bn1(self.conv1(x))), self.groups)
        out = self.conv2(out)
        out = F.relu(self.bn2(out) if hasattr(self, "bn2") else out)
        out = self.bn3(self.conv3(out))
        if self.stride == 2:
            return F.relu(torch.cat([out, F.avg_pool2d(x, 3, 2, 1)], 1))
        return F.relu(out + x)


class ShuffleNetV1(nn.Module):
    def __init__(self, classes, units=Units()):
        super().__init__()
        self.conv1, self.bn1, inputs = conv(3, 24, 1), nn.BatchNorm2d(24), 24
        for index, (outputs, count) in enumerate([(240, 4), (480, 8), (960, 4)], 1):
            stage = [ShuffleV1Block(inputs, outputs, 2, units)]
            stage += [ShuffleV1Block(outputs, outputs, 1, units) for _ in range(count - 1)]
            setattr(self, f"layer{index}", nn.Sequential(*stage))
            inputs = outputs
        self.linear = nn.Linear(960, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class ShuffleV2Down(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        half = outputs // 2
        specs = [
            (inputs, inputs, 3, 2, inputs),
            (inputs, half, 1),
            (inputs, half, 1),
            (half, half, 3, 2, half),
            (half, half, 1),
        ]
        for index, spec in enumerate(specs, 1):
            setattr(self, f"conv{index}", conv(*spec))
            setattr(self, f"bn{index}", nn.BatchNorm2d(spec[1]))

    def forward(self, x):
        left = F.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)))))
        right = F.relu(self.bn3(self.conv3(x)))
        right = F.relu(self.bn5(self.conv5(self.bn4(self.conv4(right)))))
        return shuffle(torch.cat([left, right], 1), 2)


class ShuffleV2Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        for index, spec in enumerate([(half, half, 1), (half, half, 3, 1, half), (half, half, 1)], 1):
            setattr(self, f"conv{index}", conv(*spec))
            setattr(self, f"bn{index}", nn.BatchNorm2d(half))

    def forward(self, x):
        left, right = x.chunk(2, 1)
        right = F.relu(self.bn1(self.conv1(right)))
        right = F.relu(self.bn3(self.conv3(self.bn2(self.conv2(right)))))
        return shuffle(torch.cat([left, right], 1), 2)


class ShuffleNetV2(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1, self.bn1, inputs = conv(3, 24, 1), nn.BatchNorm2d(24), 24
        for index, (outputs, count) in enumerate([(116, 3), (232, 7), (464, 3)], 1):
            blocks = [ShuffleV2Block(outputs) for _ in range(count)]
            setattr(self, f"layer{index}", nn.Sequential(ShuffleV2Down(inputs, outputs), *blocks))
            inputs = outputs
        self.conv2, self.bn2 = conv(464, 1024, 1), nn.BatchNorm2d(1024)
        self.linear = nn.Linear(1024, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.relu(self.bn2(self.conv2(x))).mean((2, 3)))


THIN, WIDE = [16, 16, 32, 64], [32, 64, 128, 256]
LARGE, LARGE4 = [64, 64, 128, 256, 512], [64, 256, 512, 1024, 2048]
SHORTCUT = {"shortcut": "shortcut", "head": "linear"}
ZOO = {"shortcut": "ds", "layer": "res"}


def small(depth, channels=THIN, **options):
    return lambda classes: ResNet([(depth - 2) // 6] * 3, channels, classes, **options)


def large(blocks, bottleneck, **options):
    channels = LARGE4 if bottleneck else LARGE
    return lambda classes: ResNet(blocks, channels, classes, bottleneck, **options)


def build(name, form, classes):
    """The network that the name stands for, in its trained or deployed form."""
    rep = Units("merged" if form == "deployed" else "branches")
    networks = {
        "resnet20": small(20),
        "resnet56": small(56),
        "resnet8x4": small(8, WIDE),
        "resnet32x4": small(32, WIDE),
        "represnet8x4": small(8, WIDE, units=rep),
        "zoo_resnet20": small(20, **ZOO),
        "ResNet18": large([2, 2, 2, 2], False, **SHORTCUT),
        "ResNet50": large([3, 4, 6, 3], True, **SHORTCUT),
        "resnet18-imagenet": large([2, 2, 2, 2], False, imagenet=True),
        "resnet50-imagenet": large([3, 4, 6, 3], True, imagenet=True),
        "wrn_16_2": lambda classes: WideResNet(16, 2, classes),
        "vgg8": lambda classes: Vgg([1] * 5, classes),
        "vgg13": lambda classes: Vgg([2] * 5, classes),
        "mobilenetv2_050": lambda classes: MobileNetV2(0.5, classes),
        "mobilenetv2_100": lambda classes: MobileNetV2(1.0, classes),
        "mobilenetv1-imagenet": lambda classes: MobileNetV1(classes),
        "shufflenetv1": lambda classes: ShuffleNetV1(classes),
        "shufflenetv2": lambda classes: ShuffleNetV2(classes),
        "represnet20": small(20, units=rep),
        "repvgg8": lambda classes: Vgg([1] * 5, classes, units=rep),
        "repmobilenetv2": lambda classes: MobileNetV2(0.5, classes, units=rep),
        "repshufflenetv1": lambda classes: ShuffleNetV1(classes, units=rep),
    }
    return networks[name](classes)
