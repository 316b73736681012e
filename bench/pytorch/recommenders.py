"""Times MLP and NeuMF training steps and a pandas evaluation at the data sets' sizes, on the CPU, and writes them to FILE for compare.py:

    recommenders.py [--threads N] [--json FILE] [part...]
    parts: mlp neumf ranking
"""

import argparse
import statistics
import time

import numpy
import pandas
import torch
from torch import nn
from torch.nn import functional as F

from figures import Figures

CUTOFFS = (1, 3, 5, 10, 20, 50)
FIGURES = Figures()


def report(name, mode, times):
    microseconds = 1e6 * statistics.median(times)
    print(f"  {name:<34} {mode:<9} {microseconds / 1e3:10.3f} ms", flush=True)
    FIGURES.add(name=name, mode=mode, microseconds=microseconds, times=len(times))


def timed(steps, warm, step):
    times = []
    for i in range(warm + steps):
        begin = time.perf_counter()
        step(i)
        times.append(time.perf_counter() - begin)
    return times[warm:]


class Mlp(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.table = nn.Embedding(2, 8)
        self.layers = nn.ModuleList([nn.Linear(8 * items, 512), nn.Linear(512, 256), nn.Linear(256, 256)])
        self.output = nn.Linear(256, items)

    def forward(self, x):
        h = self.table(x).flatten(1)
        for layer in self.layers:
            h = F.dropout(torch.relu(layer(h)), 0.5)
        return self.output(h)


def mlp(name, items, density):
    model = Mlp(items)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    popularity = 2 * density * (1 - torch.arange(items) / items)
    batches = [(torch.rand(16, items) < popularity).long() for _ in range(8)]

    def step(i):
        x = batches[i % len(batches)]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(x), x.float()).backward()
        optimiser.step()

    report(f"MLP step, {name}", "eager", timed(30, 5, step))


class NeuMf(nn.Module):
    def __init__(self, users, items):
        super().__init__()
        self.user_gmf, self.item_gmf = nn.Embedding(users, 8), nn.Embedding(items, 8)
        self.user_mlp, self.item_mlp = nn.Embedding(users, 32), nn.Embedding(items, 32)
        self.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(32, 16), nn.Linear(16, 8)])
        self.output = nn.Linear(16, 1)

    def forward(self, users, items):
        h = torch.cat([self.user_mlp(users), self.item_mlp(items)], dim=1)
        for layer in self.layers:
            h = torch.relu(layer(F.dropout(h, 0.5)))
        return self.output(torch.cat([self.user_gmf(users) * self.item_gmf(items), h], dim=1)).squeeze(1)


def neumf(name, users, items):
    model = NeuMf(users, items)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    size = 256
    all_users = torch.randint(users, (64 * size,))
    all_items = torch.randint(items, (64 * size,))
    labels = (torch.rand(64 * size) < 0.5).float()

    def step(i):
        part = slice(i % 64 * size, i % 64 * size + size)
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(all_users[part], all_items[part]), labels[part]).backward()
        optimiser.step()

    report(f"NeuMF step, {name}", "eager", timed(400, 50, step))


def ranking(name, users, items, density):
    random = numpy.random.default_rng(1)
    scores = random.random((users, items), dtype=numpy.float32)
    stored = random.random((users, items)) < density
    heldout = stored & (random.random((users, items)) < 0.2)
    user_of, item_of = numpy.divmod(numpy.arange(users * items), items)

    def frame(mask):
        rows, cols = numpy.nonzero(mask)
        return pandas.DataFrame({"user": rows, "item": cols})

    known, wanted = frame(stored & ~heldout), frame(heldout)

    def evaluate(_):
        full = pandas.DataFrame({"user": user_of, "item": item_of, "score": scores.ravel()})
        full = full.merge(known.assign(known=True), on=["user", "item"], how="left")
        full = full[full["known"].isna()].sort_values(["user", "score"], ascending=[True, False])
        full["rank"] = full.groupby("user")["score"].rank(method="first", ascending=False)
        counts = wanted.groupby("user").size()
        hits = full.merge(wanted, on=["user", "item"])
        results = {}
        for k in CUTOFFS:
            top = hits[hits["rank"] <= k]
            found = top.groupby("user").size().reindex(counts.index, fill_value=0)
            gain = (1 / numpy.log2(1 + top["rank"])).groupby(top["user"]).sum().reindex(counts.index, fill_value=0)
            ideal = (1 / numpy.log2(numpy.arange(2, k + 2))).cumsum()
            reachable = counts.clip(upper=k)
            results[k] = ((found / reachable).mean(), (gain / ideal[reachable - 1]).mean())
        return results

    report(f"ranking from scores, {name}", "pandas", timed(3, 1, evaluate))


def main():
    global FIGURES
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=0)
    arguments.add_argument("--json", help="writes the figures there")
    arguments.add_argument("parts", nargs="*")
    asked = arguments.parse_args()
    if asked.threads > 0:
        torch.set_num_threads(asked.threads)
    torch.manual_seed(1)
    FIGURES = Figures(asked.json, torch=torch.__version__, pandas=pandas.__version__, threads=torch.get_num_threads())
    print(f"torch {torch.__version__}, pandas {pandas.__version__}, threads {torch.get_num_threads()}")
    if not asked.parts or "mlp" in asked.parts:
        mlp("amazon-luxury-beauty", 729, 0.013)
        mlp("ml-100k", 1008, 0.0575)
        mlp("ml-1m", 3125, 0.03)
    if not asked.parts or "neumf" in asked.parts:
        neumf("ml-100k", 938, 1008)
        neumf("ml-100k augmented", 1781, 1008)
        neumf("ml-1m", 6034, 3125)
    if not asked.parts or "ranking" in asked.parts:
        ranking("ml-100k", 95, 1008, 0.1)
        ranking("ml-1m", 605, 3125, 0.053)


if __name__ == "__main__":
    main()
