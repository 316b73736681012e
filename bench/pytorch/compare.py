"""Sets `tapestry_bench --json OURS steps` beside `sdrm_steps.py --json THEIRS`, as a table in Markdown: milliseconds of PyTorch's modes
and ours, and how many times as long eager and the best mode take. Below it what shows whether both do the same: parameters,
floating-point operations of the products, the loss of the first update.

    compare.py OURS THEIRS
"""

import json
import sys

MODES = ("eager", "compiled", "graphs", "both")


def read(path):
    with open(path) as file:
        return json.load(file)


def main():
    ours, theirs = read(sys.argv[1]), read(sys.argv[2])
    times, facts = {}, {}
    for figure in theirs["figures"]:
        times.setdefault(figure["name"], {})[figure["mode"]] = figure["microseconds"] / 1e3
        facts.setdefault(figure["name"], figure)
    modes = [mode for mode in MODES if any(mode in found for found in times.values())]
    pairs = [(figure, times[figure["name"]]) for figure in ours["figures"] if figure["name"] in times]

    print(f"## Beside PyTorch {theirs['torch']}\n\nMilliseconds, medians.\n")
    print("| | " + " | ".join(modes) + " | ours | eager / ours | best / ours |\n|" + "---|" * (len(modes) + 4))
    for figure, found in pairs:
        own = figure["microseconds"] / 1e3
        cells = [f"{found[mode]:.3f}" if mode in found else "-" for mode in modes]
        eager = f"{found['eager'] / own:.2f}" if "eager" in found else "-"
        print(f"| {figure['name']} | " + " | ".join(cells) + f" | {own:.3f} | {eager} | {min(found.values()) / own:.2f} |")

    print("\n| | parameters, PyTorch | ours | GFLOP, PyTorch | needed | first loss, PyTorch | ours |\n|" + "---|" * 7)
    for figure, _ in pairs:
        other = facts[figure["name"]]
        if "first_loss" not in other:
            continue
        cells = [other["parameters"], figure["parameters"], f"{other['flops'] / 1e9:.3f}", f"{figure['flops'] / 1e9:.3f}"]
        cells += [f"{other['first_loss']:.4g}", f"{figure['first_loss']:.4g}"]
        print(f"| {figure['name']} | " + " | ".join(str(cell) for cell in cells) + " |")


if __name__ == "__main__":
    main()
