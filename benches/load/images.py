"""Writes a folder data set of any number of images, most of them links to the same few files.

    python3 benches/load/images.py FOLDER COUNT [SIDE]
"""

import os
import random
import struct
import sys
import zlib

CLASSES = 10
# Different pictures of a class: a file has a limited number of links.
DISTINCT = 200


def png(side, seed):
    """A picture of noise around a class's color."""
    draw = random.Random(seed)
    base = [draw.randrange(64, 192) for _ in range(3)]
    rows = b"".join(
        b"\0" + bytes(base[channel] + draw.randrange(-48, 49) for _ in range(side) for channel in range(3))
        for _ in range(side)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def split(folder, count, side, seed):
    for label in range(CLASSES):
        place = os.path.join(folder, f"class{label}")
        os.makedirs(place)
        names = [os.path.join(place, f"{index:07}.png") for index in range(count // CLASSES)]
        for index, name in enumerate(names):
            if index < DISTINCT:
                with open(name, "wb") as file:
                    file.write(png(side, seed + label * DISTINCT + index))
            else:
                os.link(names[index % DISTINCT], name)


if __name__ == "__main__":
    target, images = sys.argv[1], int(sys.argv[2])
    pixels = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    split(os.path.join(target, "train"), images, pixels, 0)
    split(os.path.join(target, "val"), 100, pixels, 10**6)
