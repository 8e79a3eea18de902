"""Mean and standard deviation of the runs of run.sh, as a table."""

import json
import statistics
import sys
from pathlib import Path

ROUTINGS = ["always", "adaptive", "anti", "random"]


def cell(out, method, routing, key):
    results = [json.loads(path.read_text()) for path in sorted(out.glob(f"{method}-{routing}-*/result.json"))]
    values = [result[key] for result in results]
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread} ({len(values)})"


def main():
    out = Path(sys.argv[1])
    teacher = json.loads((out / "teacher" / "result.json").read_text())
    print(f"teacher {teacher['student']}: {teacher['last_top1']:.2f} after the last epoch\n")
    for key in ["last_top1", "best_top1"]:
        print(f"{key}: mean ± standard deviation (runs)\n")
        print("| method | standard | adaptive | anti | random |\n|---|---|---|---|---|")
        for method, name in [("at", "KD + AT"), ("hint", "KD + FitNet")]:
            print(f"| {name} | " + " | ".join(cell(out, method, routing, key) for routing in ROUTINGS) + " |")
        print()


main()
