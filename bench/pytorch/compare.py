"""Sets `tapestry_bench --json OURS steps recommenders` beside what `sdrm_steps.py` or `recommenders.py` wrote with `--json THEIRS`, as a
table in Markdown: milliseconds of PyTorch's modes and ours, and how many times as long eager, where there are graphs also compiled, and the
best mode take, and pandas where it is what was timed. Which of PyTorch's modes is the best is known only where all of them were timed:
`compiled`, and on a GPU `graphs` and `both`; recommenders.py has eager alone. Below it, for training, what shows whether both do the same:
parameters, floating-point operations of the products, the loss of the first update; for epochs parameters, updates, the mean loss of the
first one. What a side does not have is a "-".

    compare.py OURS THEIRS
"""

import json
import sys

MODES = ("eager", "compiled", "graphs", "both", "pandas")
# What a line needs before its least time may be called PyTorch's best.
NEEDED_FOR_BEST = {"cuda": {"compiled", "graphs", "both"}, "cpu": {"compiled"}}


def read(path):
    with open(path) as file:
        return json.load(file)


def cell(figure, key, form="", scale=1):
    return format(figure[key] * scale, form) if key in figure else "-"


def print_table(head, rows):
    print("| | " + " | ".join(head) + " |\n|" + "---|" * (len(head) + 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_facts(pairs, columns):
    """What both sides have in common, theirs before ours, for pairs of a figure of ours and one of theirs; nothing when there are none."""
    if not pairs:
        return
    print()
    print_table([head for *_, theirs, ours in columns for head in (theirs, ours)],
                [[figure["name"], *(cell(side, key, form, scale) for key, form, scale, *_ in columns for side in (other, figure))]
                 for figure, other in pairs])


def main():
    ours, theirs = read(sys.argv[1]), read(sys.argv[2])
    times, facts = {}, {}
    for figure in theirs["figures"]:
        times.setdefault(figure["name"], {})[figure["mode"]] = figure["microseconds"] / 1e3
        facts.setdefault(figure["name"], figure)
    modes = [mode for mode in MODES if any(mode in found for found in times.values())]
    pairs = [(figure, times[figure["name"]]) for figure in ours["figures"] if figure["name"] in times]

    # Where there are graphs as well, the best mode is not the compiled one.
    ratios = ["eager", "compiled"] if {"compiled", "graphs"} <= set(modes) else ["eager"]
    ratios += [mode for mode in modes if mode == "pandas"]
    needed = NEEDED_FOR_BEST[theirs["device"]]
    rows = []
    for figure, found in pairs:
        own = figure["microseconds"] / 1e3
        measured = [f"{found[mode]:.3f}" if mode in found else "-" for mode in modes]
        times_ours = [f"{found[mode] / own:.2f}" if mode in found else "-" for mode in ratios]
        best = f"{min(found.values()) / own:.2f}" if needed <= set(found) else "-"
        rows.append([figure["name"], *measured, f"{own:.3f}", *times_ours, best])
    pandas = f" and pandas {theirs['pandas']}" if "pandas" in theirs else ""
    print(f"## Beside PyTorch {theirs['torch']}{pandas}\n\nMilliseconds, medians.\n")
    print_table([*modes, "ours", *(f"{mode} / ours" for mode in ratios), "best / ours"], rows)

    both = [(figure, facts[figure["name"]]) for figure, _ in pairs]
    print_facts([pair for pair in both if "flops" in pair[1]],
                [("parameters", "", 1, "parameters, PyTorch", "ours"), ("flops", ".3f", 1e-9, "GFLOP, PyTorch", "needed"),
                 ("first_loss", ".4g", 1, "first loss, PyTorch", "ours")])
    print_facts([pair for pair in both if "updates" in pair[1]],
                [("parameters", "", 1, "parameters, PyTorch", "ours"), ("updates", "", 1, "updates of the first epoch, PyTorch", "ours"),
                 ("first_loss", ".4g", 1, "its mean loss, PyTorch", "ours")])


if __name__ == "__main__":
    main()
