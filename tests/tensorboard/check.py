"""Opens the log of a run with TensorBoard's own reader, and asks a TensorBoard server for it.

    check.py RUNS RUN

RUNS is a folder of runs, RUN the name of one in it: spot-adaptive and complete.
"""

import json
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

# The reader that the server has.
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.util import tensor_util

BUCKETS = 30
PNG = b"\x89PNG\r\n\x1a\n"
DEADLINE = 60


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def plugin(accumulator, name):
    """The tags of a plugin, in order."""
    return sorted(accumulator.PluginTagToContent(name))


def by_reader(folder, run):
    """What TensorBoard's reader makes of the log, against the run's own records."""
    all_of_them = dict.fromkeys(["scalars", "images", "histograms", "hparams"], 0)
    multiplexer = EventMultiplexer(tensor_size_guidance=all_of_them)
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    accumulator = multiplexer.GetAccumulator(run)
    lines = (folder / run / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]

    top1 = accumulator.Tensors("test/top1")
    check([event.step for event in top1] == [epoch["epoch"] for epoch in epochs], "an epoch once")
    for event, epoch in zip(top1, epochs):
        value = float(tensor_util.make_ndarray(event.tensor_proto))
        check(abs(value - epoch["test"]["top1"]) < 1e-4, f"test/top1 of epoch {epoch['epoch']}")

    images = plugin(accumulator, "images")
    check(images == ["routing/classes", "routing/epochs"], f"images {images}")
    for tag in images:
        event = accumulator.Tensors(tag)[-1]
        width, height, png = tensor_util.make_ndarray(event.tensor_proto)
        check(png.startswith(PNG), f"{tag} is a PNG")
        size = struct.unpack(">II", png[16:24])
        check(size == (int(width), int(height)), f"{tag} has its size")
        check(event.step == epochs[-1]["epoch"], f"{tag} of the last epoch")

    histograms = plugin(accumulator, "histograms")
    check(histograms and all(tag.startswith("weights/") for tag in histograms), "histograms")
    for tag in histograms:
        rows = tensor_util.make_ndarray(accumulator.Tensors(tag)[-1].tensor_proto)
        check(rows.shape == (BUCKETS, 3), f"{tag} has rows of left, right and count")
        check((rows[1:, 0] == rows[:-1, 1]).all(), f"{tag} has no gaps")
    return images, histograms, epochs


def asked(port, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    url = f"http://127.0.0.1:{port}/data/plugin/{path}?{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def posted(port, path, body):
    url = f"http://127.0.0.1:{port}/data/plugin/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def by_server(folder, run, images, histograms, epochs):
    """What a server answers."""
    arguments = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *arguments],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        port = None
        for line in server.stderr:
            if "127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split("/")[0])
                break
        check(port is not None, "the server starts")
        end = time.monotonic() + DEADLINE
        while run not in json.loads(asked(port, "images/tags")):
            check(time.monotonic() < end, "the server finds the run")
            time.sleep(0.5)

        tags = json.loads(asked(port, "images/tags"))[run]
        check(sorted(tags) == images, f"images by the server: {sorted(tags)}")
        for tag in images:
            listed = json.loads(asked(port, "images/images", run=run, tag=tag, sample=0))
            check(listed[-1]["step"] == epochs[-1]["epoch"], f"{tag} by the server")
            query = dict(urllib.parse.parse_qsl(listed[-1]["query"]))
            check(asked(port, "images/individualImage", **query).startswith(PNG), f"{tag} as PNG")
        tags = json.loads(asked(port, "histograms/tags"))[run]
        check(sorted(tags) == histograms, "histograms by the server")
        steps = json.loads(asked(port, "histograms/histograms", run=run, tag=histograms[0]))
        check(len(steps[-1][2]) == BUCKETS, "a histogram by the server")

        experiment = posted(port, "hparams/experiment", {"experimentName": ""})
        names = [info["name"] for info in experiment["hparamInfos"]]
        check({"student", "teacher", "losses", "routing", "learning rate", "seed"} <= set(names), names)
        request = {
            "experimentName": "",
            "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
            "colParams": [{"hparam": name} for name in names]
            + [{"metric": info["name"]} for info in experiment["metricInfos"]],
            "startIndex": 0,
            "sliceSize": 100,
        }
        groups = posted(port, "hparams/session_groups", request)["sessionGroups"]
        sessions = {session["name"]: (group, session) for group in groups for session in group["sessions"]}
        check(run in sessions, f"the run is among {sorted(sessions)}")
        group, session = sessions[run]
        check(session["status"] == "STATUS_SUCCESS", session["status"])
        check(group["hparams"]["routing"] == "adaptive", group["hparams"])
        metrics = {value["name"]["tag"]: value["value"] for value in session["metricValues"]}
        best = max(epoch["test"]["top1"] for epoch in epochs)
        check(abs(metrics["test/top1"] - epochs[-1]["test"]["top1"]) < 1e-4, metrics)
        check(abs(metrics["test/best_top1"] - best) < 1e-4, metrics)
        return len(sessions), names
    finally:
        server.terminate()
        server.wait()


def main():
    folder, run = Path(sys.argv[1]), sys.argv[2]
    images, histograms, epochs = by_reader(folder, run)
    print(f"reader: {len(epochs)} epochs, images {', '.join(images)}, {len(histograms)} histograms")
    sessions, names = by_server(folder, run, images, histograms, epochs)
    print(f"server: images, histograms; {sessions} runs with {len(names)} hyperparameters")


main()
