"""Times training steps and whole epochs of MLP and NeuMF and a pandas evaluation at the data sets' sizes, on the CPU, and writes them to
FILE for compare.py:

    recommenders.py [--threads N] [--json FILE] [part...]
    parts: mlp neumf ranking mlp-epochs neumf-epochs
"""

import argparse
import statistics
import time

import numpy
import pandas
import torch

from figures import Figures
from recommender_epochs import MLP_BATCH, NEUMF_BATCH, mlp_epochs, neumf_epochs, update
from recommender_models import Mlp, NeuMf, random_rows, random_triples

CUTOFFS = (1, 3, 5, 10, 20, 50)
EPOCHS = 3  # that are timed of one model, behind one that warms up
FIGURES = Figures()


def report(name, mode, times, **facts):
    microseconds = 1e6 * statistics.median(times)
    print(f"  {name:<34} {mode:<9} {microseconds / 1e3:10.3f} ms", flush=True)
    FIGURES.add(name=name, mode=mode, microseconds=microseconds, times=len(times), **facts)


def timed(steps, warm, step):
    times = []
    for i in range(warm + steps):
        begin = time.perf_counter()
        step(i)
        times.append(time.perf_counter() - begin)
    return times[warm:]


def mlp(name, items, density):
    model = Mlp(items)
    optimiser = model.optimiser()
    batches = [random_rows(MLP_BATCH, items, density) for _ in range(8)]

    def step(i):
        x = batches[i % len(batches)]
        update(optimiser, model(x), x.float())

    report(f"MLP step, {name}", "eager", timed(30, 5, step))


def neumf(name, users, items):
    model = NeuMf(users, items)
    optimiser = model.optimiser()
    triples = random_triples(users, items, 32 * NEUMF_BATCH, 32 * NEUMF_BATCH)
    order = torch.randperm(64 * NEUMF_BATCH)
    batches = list(zip(*(column[order].split(NEUMF_BATCH) for column in triples)))

    def step(i):
        of_users, of_items, labels = batches[i % len(batches)]
        update(optimiser, model(of_users, of_items), labels)

    report(f"NeuMF step, {name}", "eager", timed(400, 50, step))


def epochs(name, model, epoch):
    """Times whole epochs; what shows that both sides do the same is of the first one, which only warms up."""
    found = []
    times = timed(EPOCHS, 1, lambda _: found.append(epoch()))
    parameters = sum(p.numel() for p in model.parameters())
    report(name, "eager", times, parameters=parameters, updates=len(found[0]), first_loss=torch.stack(found[0]).mean().item())


def mlp_epoch(name, users, items, density):
    model = Mlp(items, users)
    epochs(f"MLP epoch, {name}", model, mlp_epochs(model, random_rows(users, items, density)))


def neumf_epoch(name, users, items, likes, dislikes):
    model = NeuMf(users, items)
    epochs(f"NeuMF epoch, {name}", model, neumf_epochs(model, random_triples(users, items, likes, dislikes)))


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
    FIGURES = Figures(asked.json, torch=torch.__version__, pandas=pandas.__version__, device="cpu", threads=torch.get_num_threads())
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
    if not asked.parts or "mlp-epochs" in asked.parts:
        mlp_epoch("amazon-luxury-beauty", 1344, 729, 0.013)
        mlp_epoch("ml-100k", 938, 1008, 0.0575)
        mlp_epoch("ml-1m", 6034, 3125, 0.03)
    if not asked.parts or "neumf-epochs" in asked.parts:
        neumf_epoch("ml-100k", 938, 1008, 54413, 40802)
        neumf_epoch("ml-1m", 6034, 3125, 574376, 419962)


if __name__ == "__main__":
    main()
