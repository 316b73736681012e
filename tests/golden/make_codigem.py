"""Golden numbers of CODIGEM, as published and corrected: one evaluation with every gradient and ten Adamax steps each. Writes
codigem_step.txt."""

import math

import torch
from torch import nn

from golden_file import DTYPE, GoldenFile, Source, assign

USERS, ITEMS, WIDTH, LAYERS, T = 5, 7, 4, 2, 4
BETA = 0.05
STEPS, LEARNING_RATE = 10, 1e-2

PROFILES = [[0, 2, 3, 6], [1, 4], [0, 1, 5, 6], [], [2]]


def log_normal(y, mean, log_variance):
    return -0.5 * math.log(2 * math.pi) - 0.5 * log_variance - 0.5 * torch.exp(-log_variance) * (y - mean) ** 2


class Network(nn.Module):
    def __init__(self, outputs, source):
        super().__init__()
        sizes = [ITEMS] + [WIDTH] * LAYERS
        self.hidden = nn.ModuleList([nn.Linear(a, b, dtype=DTYPE) for a, b in zip(sizes[:-1], sizes[1:])])
        self.slopes = nn.ParameterList([nn.Parameter(torch.full((1,), 0.25, dtype=DTYPE)) for _ in self.hidden])
        self.output = nn.Linear(WIDTH, outputs, dtype=DTYPE)
        for linear in [*self.hidden, self.output]:
            bound = 1.5 / math.sqrt(linear.in_features)
            assign(linear.weight, source.uniform(bound, *linear.weight.shape))
            assign(linear.bias, source.uniform(bound, *linear.bias.shape))

    def forward(self, x):
        for linear, slope in zip(self.hidden, self.slopes):
            x = torch.nn.functional.prelu(linear(x), slope)
        return self.output(x)

    def named(self, value_of):
        values = {}
        for index, (linear, slope) in enumerate(zip(self.hidden, self.slopes)):
            for name, parameter in (("weight", linear.weight), ("bias", linear.bias), ("slope", slope)):
                values[f"hidden.{index}.{name}"] = value_of(parameter)
        return values | {"output.weight": value_of(self.output.weight), "output.bias": value_of(self.output.bias)}


class Model(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.decoder = Network(ITEMS, source)
        self.reverse = nn.ModuleList([Network(2 * ITEMS, source) for _ in range(T - 1)])

    def named(self, value_of):
        values = {f"decoder.{name}": value for name, value in self.decoder.named(value_of).items()}
        for index, network in enumerate(self.reverse):
            values |= {f"reverse.{index + 1}.{name}": value for name, value in network.named(value_of).items()}
        return values


def loss_of(model, x, noise, corrected):
    """noise [T, B, I]. states[r - 1] is z_r."""
    states = []
    for eps in noise:
        states.append(math.sqrt(1 - BETA) * (states[-1] if states else x) + math.sqrt(BETA) * eps)
    outputs = []  # published: pushed from i = T - 1 down to 1, read from the front
    for i in range(T - 1, 0, -1):
        mean, log_variance = model.reverse[i - 1](states[i]).chunk(2, dim=1)
        outputs.append((mean, log_variance))
    if corrected:
        outputs.reverse()
    log_beta = torch.tensor(math.log(BETA), dtype=DTYPE)
    zero = torch.zeros((), dtype=DTYPE)
    previous = [x, *states[:-1]] if corrected else states
    reconstruction = log_normal(x - torch.tanh(model.decoder(states[0])), zero, zero).sum(dim=1)
    q = [log_normal(state, math.sqrt(1 - BETA) * before, log_beta) for state, before in zip(states, previous)]
    kl = (q[-1] - log_normal(states[-1], zero, zero)).sum(dim=1)
    for r in range(T - 1):
        kl = kl + (q[r] - log_normal(states[r], *outputs[r])).sum(dim=1)
    return (kl - reconstruction).mean()


def main():
    source = Source(20261121)
    x = torch.zeros(USERS, ITEMS, dtype=DTYPE)
    for user, items in enumerate(PROFILES):
        x[user, items] = 1
    model = Model(source)
    initial = {name: value.clone() for name, value in model.named(lambda parameter: parameter.detach()).items()}
    file = GoldenFile("make_codigem.py", "CODIGEM: one evaluation with all gradients and ten Adamax steps, published and corrected")
    file.add_all("initial.", initial)
    file.add_all("", {"x_dense": x, "beta": BETA, "lr": LEARNING_RATE})
    noises = [source.normal(T, USERS, ITEMS) for _ in range(STEPS)]
    for step, noise in enumerate(noises):
        for state in range(T):
            file.add(f"noise_{step}.{state + 1}", noise[state])
    for variant in ("published", "corrected"):
        parameters = model.named(lambda parameter: parameter)
        for name, parameter in parameters.items():
            assign(parameter, initial[name])
        optimiser = torch.optim.Adamax(parameters.values(), lr=LEARNING_RATE)
        losses = []
        for step, noise in enumerate(noises):
            optimiser.zero_grad()
            loss = loss_of(model, x, noise, variant == "corrected")
            loss.backward()
            if step == 0:
                file.add_all(f"{variant}.grad.", {name: parameter.grad for name, parameter in parameters.items()})
            optimiser.step()
            losses.append(loss.item())
        file.add(f"{variant}.losses", losses)
        file.add_all(f"{variant}.final.", parameters)
    file.write("codigem_step.txt")


if __name__ == "__main__":
    main()
