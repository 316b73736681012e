"""Golden numbers of one MultiVAE: a full evaluation with every gradient, then ten Adam steps. Writes vae_step.txt."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source, assign

USERS, ITEMS, HIDDEN, LATENT = 7, 11, 5, 3
STEPS, LEARNING_RATE = 10, 1e-2

# Items of each user. User 3 has none, user 5 a single one.
PROFILES = [[0, 2, 3, 7, 10], [1, 4], [0, 1, 5, 6, 8, 9, 10], [], [2, 3, 4, 9], [6], [0, 5, 7, 8]]


class MultiVae(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.encoder = nn.ModuleList([nn.Linear(ITEMS, HIDDEN, dtype=DTYPE), nn.Linear(HIDDEN, 2 * LATENT, dtype=DTYPE)])
        self.decoder = nn.ModuleList([nn.Linear(LATENT, HIDDEN, dtype=DTYPE), nn.Linear(HIDDEN, ITEMS, dtype=DTYPE)])
        for linear in [*self.encoder, *self.decoder]:
            bound = math.sqrt(6 / (linear.in_features + linear.out_features))
            assign(linear.weight, source.uniform(bound, *linear.weight.shape))
            assign(linear.bias, 0.1 * source.normal(*linear.bias.shape))  # larger than in training, so that a lost bias shows

    def forward(self, x, mask, eps):
        h = torch.tanh(self.encoder[0](F.normalize(x, p=2, dim=1, eps=1e-12) * mask))
        mu, log_var = self.encoder[1](h).chunk(2, dim=1)
        z = mu + eps * torch.exp(0.5 * log_var)
        logits = self.decoder[1](torch.tanh(self.decoder[0](z)))
        return mu, log_var, logits


def objective(model, x, mask, eps, beta):
    mu, log_var, logits = model(x, mask, eps)
    nll = -(x * F.log_softmax(logits, dim=1)).sum() / x.shape[0]
    kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum() / x.shape[0]
    return {"mu": mu, "log_var": log_var, "logits": logits, "nll": nll, "kl": kl, "loss": nll + beta * kl}


def named(model, value_of):
    """Parameters (or what value_of makes of them) under Tapestry's names: the sparse first layer is stored [I, H]."""
    values = {name: value_of(parameter) for name, parameter in model.named_parameters()}
    values["encoder.0.weight"] = values["encoder.0.weight"].T
    return values


def draw(source, x):
    """A dropout mask that leaves the one-item user its item, and the latent noise."""
    mask = source.dropout_mask(USERS, ITEMS)
    mask[5, PROFILES[5]] = 2
    return mask, source.normal(USERS, LATENT)


def main():
    source = Source(20240601)
    x = torch.zeros(USERS, ITEMS, dtype=DTYPE)
    for user, items in enumerate(PROFILES):
        x[user, items] = 1
    model = MultiVae(source)
    file = GoldenFile("make_vae.py", "MultiVAE: one evaluation with all gradients, then ten training steps")
    file.add_all("initial.", named(model, lambda parameter: parameter))
    file.add("x_dense", x)

    mask, eps = draw(source, x)
    beta = 0.13
    file.add_all("", {"mask": mask, "eps": eps, "beta": beta})
    outputs = objective(model, x, mask, eps, beta)
    outputs["loss"].backward()
    file.add_all("", outputs)
    file.add_all("grad.", named(model, lambda parameter: parameter.grad))

    file.add("lr", LEARNING_RATE)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)
    betas, losses = [], []
    for step in range(STEPS):
        mask, eps = draw(source, x)
        betas.append(0.01 * step)  # min(0.2, step / 20000) in training, here fast enough to be seen
        optimiser.zero_grad()
        loss = objective(model, x, mask, eps, betas[-1])["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        file.add_all("", {f"mask_{step}": mask, f"eps_{step}": eps})
    file.add("betas", betas)
    file.add("losses", losses)
    file.add_all("final.", named(model, lambda parameter: parameter))
    file.write("vae_step.txt")


if __name__ == "__main__":
    main()
