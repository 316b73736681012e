"""Golden numbers of DiffRec: one evaluation with every gradient, the other objectives' losses, ten AdamW steps, the reverse
process. Writes diffrec_step.txt."""

import math

import torch
from torch import nn

from golden_file import DTYPE, GoldenFile, Source, assign

USERS, ITEMS, WIDTHS, TIME_WIDTH, T = 6, 9, [5, 3, 5], 4, 5
SCALE, NOISE_MIN, NOISE_MAX = 0.1, 0.1, 0.5
STEPS, LEARNING_RATE, WEIGHT_DECAY = 10, 1e-2, 0.05

PROFILES = [[0, 2, 3, 7], [1, 4, 8], [0, 1, 5, 6, 8], [], [2, 3, 4], [6]]


def schedule():
    """Cumulative products of 1 - beta for t = 1..T (index t - 1) and the betas, the first one overwritten by 1e-5."""
    wanted = 1 - SCALE * torch.linspace(NOISE_MIN, NOISE_MAX, T, dtype=DTYPE)
    betas = torch.cat([1 - wanted[:1], (1 - wanted[1:] / wanted[:-1]).clamp(max=0.999)])
    betas[0] = 1e-5
    return betas, torch.cumprod(1 - betas, dim=0)


class Network(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.time = nn.Linear(TIME_WIDTH, TIME_WIDTH, dtype=DTYPE)
        sizes = [ITEMS + TIME_WIDTH, *WIDTHS, ITEMS]
        self.layers = nn.ModuleList([nn.Linear(a, b, dtype=DTYPE) for a, b in zip(sizes[:-1], sizes[1:])])
        for linear in [self.time, *self.layers]:
            deviation = math.sqrt(2 / (linear.in_features + linear.out_features))
            assign(linear.weight, deviation * source.normal(*linear.weight.shape))
            assign(linear.bias, 0.1 * source.normal(*linear.bias.shape))  # larger than in training, so that a lost bias shows

    def forward(self, x, t):
        """t counts from 0 here."""
        half = TIME_WIDTH // 2
        frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=DTYPE) / half)
        angles = t.to(DTYPE)[:, None] * frequencies[None]
        h = torch.cat([x, self.time(torch.cat([angles.cos(), angles.sin()], dim=1))], dim=1)
        for layer in self.layers[:-1]:
            h = torch.tanh(layer(h))
        return self.layers[-1](h)


def named(network, value_of):
    values = {name: value_of(parameter) for name, parameter in network.named_parameters()}
    first = values.pop("layers.0.weight")
    renamed = {"input.weight_x": first[:, :ITEMS], "input.weight_t": first[:, ITEMS:], "input.bias": values.pop("layers.0.bias")}
    for name, value in values.items():
        parts = name.split(".")
        if parts[0] == "layers":
            last = int(parts[1]) == len(WIDTHS)
            name = f"output.{parts[2]}" if last else f"hidden.{int(parts[1]) - 1}.{parts[2]}"
        renamed[name] = value
    return renamed


def snr(cumulative):
    return cumulative / (1 - cumulative)


def user_losses(network, kind, x0, t, noise, mask):
    """The weighted loss of each user, as the authors' program computes it for kind "x0" and "eps_code"."""
    betas, cumulative = schedule()
    bar = cumulative[t][:, None]
    before = torch.where(t > 0, cumulative[(t - 1).clamp(min=0)], torch.ones((), dtype=DTYPE))
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    output = network(x_t * mask, t)
    first = t == 0
    if kind == "x0":
        weight = torch.where(first, torch.ones((), dtype=DTYPE), snr(cumulative[(t - 1).clamp(min=0)]) - snr(cumulative[t]))
        return weight * ((x0 - output) ** 2).mean(dim=1)
    squares = ((noise - output) ** 2).mean(dim=1)
    if kind == "eps_simple":
        return squares
    # At the first step the likelihood of x_0 as predicted from x_t, which has seen no dropout.
    predicted = (x_t - (1 - bar).sqrt() * output) / bar.sqrt()
    likelihood = ((x0 - predicted) ** 2 / 2).mean(dim=1)
    safe = torch.where(first, torch.full((), 0.5, dtype=DTYPE), before)
    if kind == "eps_code":
        weight = (1 - cumulative[t]) / ((1 - safe) ** 2 * (1 - betas[t]))
    else:
        weight = betas[t] / ((1 - betas[t]) * (1 - safe))
    return torch.where(first, likelihood, weight * squares)


def draw(source):
    t = source.integers(0, T - 1, USERS)
    return t, source.normal(USERS, ITEMS), source.dropout_mask(USERS, ITEMS), 0.5 + source.uniform(0.4, USERS, 1).abs()


def record_draw(file, suffix, t, noise, mask, divisor):
    file.add_all("", {f"t{suffix}": t + 1, f"noise{suffix}": noise, f"mask{suffix}": mask, f"divisor{suffix}": divisor})


def reverse(network, x):
    """All T steps of the reverse process without noise."""
    betas, cumulative = schedule()
    for t in reversed(range(T)):
        predicted = network(x, torch.full((x.shape[0],), t))
        before = cumulative[t - 1] if t > 0 else torch.ones((), dtype=DTYPE)
        x = (betas[t] * before.sqrt() * predicted + (1 - before) * (1 - betas[t]).sqrt() * x) / (1 - cumulative[t])
    return x


def main():
    source = Source(20261121)
    x0 = torch.zeros(USERS, ITEMS, dtype=DTYPE)
    for user, items in enumerate(PROFILES):
        x0[user, items] = 1
    network = Network(source)
    file = GoldenFile("make_diffrec.py", "DiffRec: one evaluation with all gradients, ten training steps, the reverse process")
    file.add_all("initial.", named(network, lambda parameter: parameter))
    betas, cumulative = schedule()
    file.add_all("", {"x_dense": x0, "scale": SCALE, "noise_min": NOISE_MIN, "noise_max": NOISE_MAX, "beta": betas})
    file.add("alpha_bar", cumulative)

    t, noise, mask, divisor = draw(source)
    t[:2] = torch.tensor([0, T - 1])
    record_draw(file, "", t, noise, mask, divisor)
    losses = user_losses(network, "x0", x0, t, noise, mask)
    loss = (losses / divisor[:, 0]).mean()
    loss.backward()
    file.add_all("", {"by_user": losses, "loss": loss})
    file.add_all("grad.", named(network, lambda parameter: parameter.grad))
    with torch.no_grad():
        for kind in ("eps_code", "eps_exact", "eps_simple"):
            file.add(f"by_user_{kind}", user_losses(network, kind, x0, t, noise, mask))
        file.add("denoised", reverse(network, x0))

    file.add_all("", {"lr": LEARNING_RATE, "weight_decay": WEIGHT_DECAY})
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    history = []
    for step in range(STEPS):
        t, noise, mask, divisor = draw(source)
        record_draw(file, f"_{step}", t, noise, mask, divisor)
        optimiser.zero_grad()
        loss = (user_losses(network, "x0", x0, t, noise, mask) / divisor[:, 0]).mean()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    file.add("losses", history)
    file.add_all("final.", named(network, lambda parameter: parameter))
    file.write("diffrec_step.txt")


if __name__ == "__main__":
    main()
