"""Times what `tapestry_bench steps` times, in PyTorch: training steps of MultiVAE and of SDRM's score model, sampling at full and
multiple resolution, SVD with its evaluation.

    sdrm_steps.py [--device cpu|cuda] [--threads N] [--modes eager,compiled,graphs] [part...]      parts: vae sdrm sampling svd

Modes: `eager`; `compiled` is torch.compile of the whole step but the optimiser, which is fused where PyTorch has it; `graphs`, on a
GPU only, captures eager's step in a CUDA graph and replays it.
"""

import argparse
import math
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

DEVICE = "cpu"
VAE = {  # name: items, density, hidden, latent, batch, learning rate
    "ml-100k/SVD": (1008, 0.0575, 930, 830, 780, 6e-4),
    "ml-1m/SVD": (3125, 0.03, 600, 150, 190, 6e-3),
    "ADM/SVD": (8582, 0.0012, 210, 160, 380, 1e-3),
}
SDRM = {"ml-100k/SVD": (830, 83, 550), "ml-1m/SVD": (150, 23, 720)}  # name: latent, timesteps, batch
SAMPLING = {"ml-100k/SVD": (830, 83, 843)}  # name: latent, timesteps, rows
SVD = {"ml-100k": (1781, 1008, 0.08, 95), "ml-1m": (11463, 3125, 0.04, 605), "ADM": (20179, 8582, 0.0012, 1063)}
HIDDEN_BLOCKS, DROPOUT, PERTURBATION = 2, 0.5, 0.1
CUTOFFS = (1, 3, 5, 10, 20, 50)


def synchronise():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def report(what, mode, times):
    print(f"  {what:<34} {mode:<9} {1e3 * statistics.median(times):10.3f} ms", flush=True)


def timed(step, least=10, seconds=3.0):
    for _ in range(3):
        step()
    synchronise()
    times, began = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - began < seconds:
        begin = time.perf_counter()
        step()
        synchronise()
        times.append(time.perf_counter() - begin)
    return times


def made_up_rows(rows, items, density):
    popularity = 2 * density * (1 - torch.arange(items) / items)
    return (torch.rand(rows, items) < popularity).float().to(DEVICE)


class MultiVae(nn.Module):
    def __init__(self, items, hidden, latent):
        super().__init__()
        self.first, self.second = nn.Linear(items, hidden), nn.Linear(hidden, 2 * latent)
        self.third, self.fourth = nn.Linear(latent, hidden), nn.Linear(hidden, items)

    def forward(self, x):
        h = torch.tanh(self.first(F.dropout(F.normalize(x), DROPOUT)))
        mu, log_variance = self.second(h).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_variance)
        return self.fourth(torch.tanh(self.third(z))), mu, log_variance


def vae_loss(model, x):
    logits, mu, log_variance = model(x)
    nll = -(F.log_softmax(logits, dim=1) * x).sum(1).mean()
    return nll - 0.1 * 0.5 * (1 + log_variance - mu**2 - log_variance.exp()).sum(1).mean()


def embedding(steps):
    half = steps // 2
    angles = torch.arange(steps + 1)[:, None] * torch.exp(-math.log(1e4) * torch.arange(half) / half)[None, :]
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, steps - 2 * half)).to(DEVICE)


class ScoreModel(nn.Module):
    """The published program's network: one hidden block, applied HIDDEN_BLOCKS times."""

    def __init__(self, latent, steps):
        super().__init__()
        self.time = nn.Linear(steps, steps)
        self.input, self.input_slope = nn.Linear(latent + steps, latent), nn.PReLU()
        self.hidden, self.hidden_slope = nn.Linear(latent, latent), nn.PReLU()
        self.output = nn.Linear(latent, latent)
        self.register_buffer("table", embedding(steps))

    def forward(self, z, t):
        h = self.input_slope(self.input(torch.cat([F.dropout(z, DROPOUT), self.time(self.table[t])], dim=1)))
        for _ in range(HIDDEN_BLOCKS):
            h = self.hidden_slope(self.hidden(h))
        return torch.tanh(self.output(h))


def schedule(steps):
    beta = torch.linspace(1e-4, 0.02, steps + 1, device=DEVICE)
    bar = torch.cumprod(1 - beta, 0)
    bar[0] = 1
    return beta, bar


def score_loss(model, z0, bar):
    """The published objective; its three passes as one batch of three times the rows."""
    t = torch.randint(1, len(bar), (len(z0),), device=z0.device)
    noise = torch.randn_like(z0)
    kept = bar[t][:, None]
    noisy = kept.sqrt() * z0 + (1 - kept) * noise
    out = model(torch.cat([noisy, z0, z0 + PERTURBATION * noise]), t.repeat(3))
    denoised, a, b = out.chunk(3)
    r = denoised - z0
    return 0.5 * ((((b - a) / PERTURBATION**2 - r) ** 2).mean() + ((r - a) ** 2).mean()) / (1e-8 + r.var())


def steps_of(model, loss, optimiser, mode):
    """One update in a mode, as a function."""
    if mode == "compiled":
        loss = torch.compile(loss)

    def step():
        optimiser.zero_grad(set_to_none=mode != "graphs")
        loss().backward()
        optimiser.step()

    if mode != "graphs":
        return step
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def adam(model, mode, **options):
    if mode == "graphs":
        options["capturable"] = True
    elif mode == "compiled":
        options["fused"] = True
    return torch.optim.Adam(model.parameters(), **options)


def vae(modes):
    for name, (items, density, hidden, latent, batch, rate) in VAE.items():
        for mode in modes:
            x = made_up_rows(batch, items, density)
            model = MultiVae(items, hidden, latent).to(DEVICE)
            step = steps_of(model, lambda: vae_loss(model, x), adam(model, mode, lr=rate), mode)
            report(f"VAE step, {name}", mode, timed(step))


def sdrm(modes):
    for name, (latent, steps, batch) in SDRM.items():
        for mode in modes:
            z0 = torch.randn(batch, latent, device=DEVICE)
            bar = schedule(steps)[1]
            model = ScoreModel(latent, steps).to(DEVICE)
            step = steps_of(model, lambda: score_loss(model, z0, bar), adam(model, mode, lr=1e-5, weight_decay=1e-4), mode)
            report(f"SDRM step, {name}", mode, timed(step))


@torch.no_grad()
def sample(forward, rows, latent, starts, beta, bar):
    """Rows that have started take each step together."""
    starts, order = torch.sort(starts, descending=True)
    z = torch.randn(rows, latent, device=DEVICE)
    active = [int((starts >= t).sum()) for t in range(len(bar))]
    for t in range(len(bar) - 1, 0, -1):
        n = active[t]
        if n == 0:
            continue
        eps = forward(z[:n], torch.full((n,), t, device=DEVICE))
        mean = (z[:n] - eps * beta[t] / (1 - bar[t]).sqrt()) / (1 - beta[t]).sqrt()
        z[:n] = mean + (beta[t].sqrt() * torch.randn_like(mean) if t > 1 else 0)
    return z[torch.argsort(order)]


def sampling(modes):
    for name, (latent, steps, rows) in SAMPLING.items():
        for mode in modes:
            if mode == "graphs":
                continue  # the number of active rows changes with every step
            model = ScoreModel(latent, steps).to(DEVICE)
            forward = torch.compile(model, dynamic=True) if mode == "compiled" else model
            beta, bar = schedule(steps)
            for kind, starts in (("F", torch.full((rows,), steps)), ("M", torch.randint(1, steps, (rows,)))):
                work = lambda: sample(forward, rows, latent, starts.to(DEVICE), beta, bar)
                report(f"{kind}-SDRM, {rows} rows, {name}", mode, timed(work, least=3))


def svd(modes):
    for name, (rows, items, density, users) in SVD.items():
        x = made_up_rows(rows, items, density).to_sparse_csr()
        dense = made_up_rows(users, items, density)
        heldout = made_up_rows(users, items, density / 4) * (1 - dense)

        def work():
            _, _, v = torch.svd_lowrank(x, q=20, niter=4)
            scores = (dense @ v) @ v.T
            best = torch.topk(scores.masked_fill(dense > 0, -math.inf), max(CUTOFFS), dim=1).indices
            hits = heldout.gather(1, best)
            discount = 1 / torch.log2(torch.arange(max(CUTOFFS), device=DEVICE) + 2.0)
            size = heldout.sum(1)
            for k in CUTOFFS:
                reachable = size.clamp(max=k)
                recall = hits[:, :k].sum(1) / reachable
                ideal = torch.cumsum(discount, 0)[(reachable.long() - 1).clamp(min=0)]
                ((hits[:, :k] * discount[:k]).sum(1) / ideal).nanmean() + recall.nanmean()

        if "eager" in modes:
            report(f"SVD fit and evaluation, {name}", "eager", timed(work, least=3))


def main():
    global DEVICE
    parts = {"vae": vae, "sdrm": sdrm, "sampling": sampling, "svd": svd}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--modes", default="eager,compiled,graphs")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all when none is named")
    options = parser.parse_args()
    DEVICE = options.device
    modes = [mode for mode in options.modes.split(",") if mode != "graphs" or DEVICE == "cuda"]
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}, {DEVICE}, {options.threads} threads")
    for name in options.parts or parts:
        parts[name](modes)


if __name__ == "__main__":
    main()
