"""Golden numbers of one TVAE over a small table: a full evaluation with every gradient, then ten Adam steps. Writes
tvae_step.txt."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source, assign
from table_layout import CATEGORIES, COLUMNS, one_hot, positions

ROWS, HIDDEN, LATENT = 7, 6, 4
STEPS, LEARNING_RATE, L2, FACTOR = 10, 1e-2, 1e-3, 2.0  # a decay that shows within ten steps

# The category of each column; row 3 is in the commonest one everywhere.
TABLE = [[0, 1, 0, 1, 0], [2, 0, 0, 0, 0], [1, 2, 1, 0, 0], [0, 0, 0, 0, 0], [0, 2, 1, 1, 0], [0, 0, 0, 1, 0], [1, 0, 1, 0, 0]]


class Tvae(nn.Module):
    """Dense one-hot rows in, all logits out."""

    def __init__(self, source):
        super().__init__()

        def linear(inputs, outputs):
            made = nn.Linear(inputs, outputs, dtype=DTYPE)
            bound = 1 / math.sqrt(inputs)
            assign(made.weight, source.uniform(bound, *made.weight.shape))
            assign(made.bias, source.uniform(bound, *made.bias.shape))
            return made

        self.encoder = nn.ModuleList([linear(CATEGORIES, HIDDEN), linear(HIDDEN, HIDDEN)])
        self.mu = linear(HIDDEN, LATENT)
        self.log_variance = linear(HIDDEN, LATENT)
        self.decoder = nn.ModuleList([linear(LATENT, HIDDEN), linear(HIDDEN, HIDDEN), linear(HIDDEN, CATEGORIES)])

    def forward(self, x, noise):
        h = F.relu(self.encoder[1](F.relu(self.encoder[0](x))))
        mu, log_variance = self.mu(h), self.log_variance(h)
        z = mu + noise * torch.exp(0.5 * log_variance)
        return mu, log_variance, self.decoder[2](F.relu(self.decoder[1](F.relu(self.decoder[0](z)))))


def objective(model, table, noise):
    mu, log_variance, logits = model(one_hot(table), noise)
    reconstruction = sum(
        F.cross_entropy(logits[:, positions(column)], table[:, column], reduction="sum") for column in range(COLUMNS)
    ) / len(table)
    kl = 0.5 * (log_variance.exp() + mu**2 - 1 - log_variance).sum() / len(table)
    return {"mu": mu, "log_variance": log_variance, "logits": logits, "reconstruction": reconstruction, "kl": kl,
            "loss": FACTOR * reconstruction + kl}


def named(model, value_of):
    """Parameters (or what value_of makes of them) under Tapestry's names: the sparse first layer is stored [C, H]."""
    values = {name: value_of(parameter) for name, parameter in model.named_parameters()}
    values["encoder.0.weight"] = values["encoder.0.weight"].T
    return values


def main():
    source = Source(20240711)
    table = torch.tensor(TABLE)
    model = Tvae(source)
    file = GoldenFile("make_tvae.py", "TVAE: one evaluation with all gradients, then ten training steps")
    file.add_all("initial.", named(model, lambda parameter: parameter))
    file.add("table", table)

    noise = source.normal(ROWS, LATENT)
    file.add_all("", {"noise": noise, "loss_factor": FACTOR})
    outputs = objective(model, table, noise)
    outputs["loss"].backward()
    file.add_all("", outputs)
    file.add_all("grad.", named(model, lambda parameter: parameter.grad))

    file.add_all("", {"lr": LEARNING_RATE, "l2": L2})
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=L2)
    losses = []
    for step in range(STEPS):
        noise = source.normal(ROWS, LATENT)
        optimiser.zero_grad()
        loss = objective(model, table, noise)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        file.add(f"noise_{step}", noise)
    file.add("losses", losses)
    file.add_all("final.", named(model, lambda parameter: parameter))
    file.write("tvae_step.txt")


if __name__ == "__main__":
    main()
