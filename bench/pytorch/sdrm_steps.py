"""Times what `tapestry_bench steps` times, in PyTorch: training steps of MultiVAE and of SDRM's score model, sampling at full and
multiple resolution, SVD with its evaluation.

    sdrm_steps.py [--device cpu|cuda] [--threads N] [--modes eager,graphs,compiled,both] [--seconds S] [--json FILE] [part...]
    parts: vae sdrm sampling svd

Modes: `eager`; `compiled` is torch.compile of the loss (of the network when sampling); `graphs`, on a GPU only, captures eager's step, or
all steps of sampling, in a CUDA graph and replays it; `both` captures what was compiled. A mode that fails says why and is left out.
Those that compile, which takes minutes, come last, line by line, `both` behind `compiled`. compare.py sets the figures beside ours. The
file holds every line as soon as it is measured.
"""

import argparse
import math
import statistics
import time

import torch
import torch._dynamo
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from figures import Figures, reason

DEVICE = "cpu"
SECONDS = 1.0
VAE = {  # name: items, density, hidden, latent, batch, learning rate
    "ml-100k/SVD": (1008, 0.0575, 930, 830, 780, 6e-4),
    "ml-1m/SVD": (3125, 0.03, 600, 150, 190, 6e-3),
    "ml-1m/NeuMF": (3125, 0.03, 430, 330, 540, 9e-4),
    "ADM/SVD": (8582, 0.0012, 210, 160, 380, 1e-3),
}
SDRM = {  # name: latent, timesteps, hidden blocks, batch
    "ml-100k/SVD": (830, 83, 2, 550),
    "ml-1m/SVD": (150, 23, 2, 720),
    "ml-1m/NeuMF": (330, 178, 1, 830),
}
SAMPLING = {"ml-100k/SVD": (830, 83, 2, 843)}  # name: latent, timesteps, hidden blocks, rows
SVD = {"ml-100k": (1781, 1008, 0.08, 95), "ml-1m": (11463, 3125, 0.04, 605), "ADM": (20179, 8582, 0.0012, 1063)}
DROPOUT, PERTURBATION = 0.5, 0.1
CUTOFFS = (1, 3, 5, 10, 20, 50)
FIGURES = Figures()


def updates():
    """Updates that are waited for together, with no loss read in between: as many as an epoch of ours has (ways() in sdrm_steps.cpp)."""
    return 20 if DEVICE == "cuda" else 1


def synchronise():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def timed(step, together, least=3):
    """Seconds of a call, each from `together` of them that are waited for at their end, for SECONDS and at least `least` times, after up
    to three that warm up, in SECONDS if they can."""

    def calls():
        for _ in range(together):
            step()
        synchronise()

    began = time.perf_counter()
    for warm in range(3):
        if warm == 0 or time.perf_counter() - began < SECONDS:
            calls()
    times, began = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - began < SECONDS:
        begin = time.perf_counter()
        calls()
        times.append((time.perf_counter() - begin) / together)
    return times


def measure(name, modes, prepare, together=1):
    """Times in each mode the step that prepare(mode) returns, `together` calls at a time; the facts that it returns go into the file beside
    the time."""
    for mode in modes:
        try:
            torch._dynamo.reset()  # what is compiled below is compiled for this line alone, not as another shape of the last one's
            step, facts = prepare(mode)
            times = timed(step, together)
        except Exception as error:  # of another library, compiler or driver: whatever it is, the other modes go on
            print(f"  {name:<34} {mode:<9} left out: {reason(error)}", flush=True)
            continue
        microseconds = 1e6 * statistics.median(times)
        print(f"  {name:<34} {mode:<9} {microseconds / 1e3:10.3f} ms", flush=True)
        FIGURES.add(name=name, mode=mode, microseconds=microseconds, times=len(times), together=together, **facts)


def facts_of(model, loss):
    """What the two sides must have in common: parameters, the operations of products in a step, the loss of the first update."""
    with FlopCounterMode(display=False) as counter:
        first = loss()
        first.backward()
    model.zero_grad(set_to_none=True)
    parameters = sum(p.numel() for p in model.parameters())
    return {"parameters": parameters, "flops": counter.get_total_flops(), "first_loss": first.item()}


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
    """The published program's network: one hidden block, applied `blocks` times."""

    def __init__(self, latent, steps, blocks):
        super().__init__()
        self.time = nn.Linear(steps, steps)
        self.input, self.input_slope = nn.Linear(latent + steps, latent), nn.PReLU()
        self.hidden, self.hidden_slope = nn.Linear(latent, latent), nn.PReLU()
        self.output = nn.Linear(latent, latent)
        self.blocks = blocks
        self.register_buffer("table", embedding(steps))

    def forward(self, z, t):
        h = self.input_slope(self.input(torch.cat([F.dropout(z, DROPOUT), self.time(self.table[t])], dim=1)))
        for _ in range(self.blocks):
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


def captured(work):
    """`work` as a CUDA graph, after three calls on another stream that let the libraries make what they need."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def update(model, loss, mode, **options):
    """One update in a mode, as a function. Adam is fused in every mode but eager, which is PyTorch's default."""
    compiled, graph = mode in ("compiled", "both"), mode in ("graphs", "both")
    optimiser = torch.optim.Adam(model.parameters(), capturable=graph, fused=None if mode == "eager" else True, **options)
    objective = torch.compile(loss, dynamic=False) if compiled else loss

    def step():
        optimiser.zero_grad(set_to_none=True)
        objective().backward()
        optimiser.step()

    return captured(step) if graph else step


def vae(modes):
    for name, (items, density, hidden, latent, batch, rate) in VAE.items():
        x = made_up_rows(batch, items, density)

        def prepare(mode):
            model = MultiVae(items, hidden, latent).to(DEVICE)
            loss = lambda: vae_loss(model, x)
            facts = facts_of(model, loss)
            return update(model, loss, mode, lr=rate), facts

        measure(f"VAE step, {name}", modes, prepare, updates())


def sdrm(modes):
    for name, (latent, steps, blocks, batch) in SDRM.items():
        z0, bar = torch.randn(batch, latent, device=DEVICE), schedule(steps)[1]

        def prepare(mode):
            model = ScoreModel(latent, steps, blocks).to(DEVICE)
            loss = lambda: score_loss(model, z0, bar)
            facts = facts_of(model, loss)
            return update(model, loss, mode, lr=1e-5, weight_decay=1e-4), facts

        measure(f"SDRM step, {name}", modes, prepare, updates())


@torch.no_grad()
def sample(forward, latent, active, order, beta, bar, times):
    """Rows sorted by their starts, latest first: active[t] of them take step t, together."""
    z = torch.randn(len(order), latent, device=DEVICE)
    for t in range(len(bar) - 1, 0, -1):
        n = active[t]
        if n == 0:
            continue
        eps = forward(z[:n], times[t].expand(n))
        mean = (z[:n] - eps * beta[t] / (1 - bar[t]).sqrt()) / (1 - beta[t]).sqrt()
        z[:n] = mean + (beta[t].sqrt() * torch.randn_like(mean) if t > 1 else 0)
    return z[order]


def sampling(modes):
    for name, (latent, steps, blocks, rows) in SAMPLING.items():
        beta, bar = schedule(steps)
        times = torch.arange(steps + 1, device=DEVICE)
        for kind, starts in (("F", torch.full((rows,), steps)), ("M", torch.randint(1, steps, (rows,)))):
            starts, order = torch.sort(starts, descending=True)
            active = [int((starts >= t).sum()) for t in range(steps + 1)]
            order = torch.argsort(order).to(DEVICE)
            shrinks = kind == "M"  # its steps have a number of rows each: compiled once for all, not eighty times

            def prepare(mode):
                model = ScoreModel(latent, steps, blocks).to(DEVICE)
                forward = torch.compile(model, dynamic=shrinks) if mode in ("compiled", "both") else model
                work = lambda: sample(forward, latent, active, order, beta, bar, times)
                facts = {"parameters": sum(p.numel() for p in model.parameters())}
                return captured(work) if mode in ("graphs", "both") else work, facts

            measure(f"{kind}-SDRM, {rows} rows, {name}", modes, prepare)


def svd(modes):
    modes = [mode for mode in modes if mode not in ("graphs", "both")]  # the decomposition asks the host in between
    if not modes:
        return
    for name, (rows, items, density, users) in SVD.items():
        x = made_up_rows(rows, items, density).to_sparse_csr()
        dense = made_up_rows(users, items, density)
        heldout = made_up_rows(users, items, density / 4) * (1 - dense)

        def evaluate(v):
            best = torch.topk(((dense @ v) @ v.T).masked_fill(dense > 0, -math.inf), max(CUTOFFS), dim=1).indices
            hits = heldout.gather(1, best)
            discount = 1 / torch.log2(torch.arange(max(CUTOFFS), device=DEVICE) + 2.0)
            size, found = heldout.sum(1), []
            for k in CUTOFFS:
                reachable = size.clamp(max=k)
                ideal = torch.cumsum(discount, 0)[(reachable.long() - 1).clamp(min=0)]
                found += [(hits[:, :k].sum(1) / reachable).nanmean(), ((hits[:, :k] * discount[:k]).sum(1) / ideal).nanmean()]
            return torch.stack(found)

        def prepare(mode):
            measured = torch.compile(evaluate, dynamic=False) if mode == "compiled" else evaluate
            return lambda: measured(torch.svd_lowrank(x, q=20, niter=4)[2]), {}

        measure(f"SVD fit and evaluation, {name}", modes, prepare)


def forbid_falling_back():
    """PyTorch that has compiled something too often goes on with it in eager mode, without a word. Here that is an error of its line."""
    for name in ("fail_on_recompile_limit_hit", "fail_on_cache_limit_hit"):  # as it is called since PyTorch 2.7, and in 2.6
        if hasattr(torch._dynamo.config, name):
            setattr(torch._dynamo.config, name, True)
            return
    print("This PyTorch cannot say when it compiles no more: a mode that is called compiled may be eager in part")


def main():
    global DEVICE, SECONDS, FIGURES
    parts = {"vae": vae, "sdrm": sdrm, "sampling": sampling, "svd": svd}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--modes", default="eager,graphs,compiled,both")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each line; default %(default)s")
    parser.add_argument("--json", help="writes the figures there")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all when none is named")
    options = parser.parse_args()
    DEVICE, SECONDS = options.device, options.seconds
    modes = [mode for mode in options.modes.split(",") if DEVICE == "cuda" or mode not in ("graphs", "both")]
    torch.set_num_threads(options.threads)
    forbid_falling_back()
    FIGURES = Figures(options.json, torch=torch.__version__, device=DEVICE, threads=options.threads)
    print(f"PyTorch {torch.__version__}, {DEVICE}, {options.threads} threads")
    # First all lines in each of the modes that need no compiler: a run that is stopped while it compiles has the figures of eager, and of
    # graphs on a GPU, of every line. Then line by line those that do, so that a line has both or neither: which mode is the best is known
    # where all were timed (compare.py).
    compiling = [mode for mode in modes if mode in ("compiled", "both")]
    for together in [*([mode] for mode in modes if mode not in compiling), *([compiling] if compiling else [])]:
        torch.manual_seed(1)  # the same data in every mode
        for name in options.parts or parts:
            parts[name](together)


if __name__ == "__main__":
    main()
