"""Seconds of one CTGAN training step (critic, then generator) in PyTorch at the package's defaults, on a random binary table: dense
one-hot rows and conditions, all logits, the gradient penalty by second derivatives, all columns at once (the package itself loops
over them).

    python ctgan_step.py --items 1008 --rows 938 --density 0.06
"""

import argparse
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

LATENT, HIDDEN, BATCH, PAC = 128, 256, 500, 10


class Residual(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.linear, self.norm = nn.Linear(inputs, HIDDEN), nn.BatchNorm1d(HIDDEN)

    def forward(self, x):
        return torch.cat([F.relu(self.norm(self.linear(x))), x], dim=1)


def activate(logits):
    return F.gumbel_softmax(logits.reshape(len(logits), -1, 2), tau=0.2, dim=2).reshape(len(logits), -1)


def draw_conditions(items, counts):
    """Columns uniformly, categories by log-frequency: indices into the one-hot vector."""
    column = torch.randint(items, (BATCH,))
    weights = torch.log(counts[column] + 1)
    return column, torch.multinomial(weights, 1).squeeze(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1008)
    parser.add_argument("--rows", type=int, default=938)
    parser.add_argument("--density", type=float, default=0.06)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)

    items, width = options.items, 2 * options.items
    likes = (torch.rand(options.rows, items) < options.density).long()
    counts = torch.stack([(likes == value).sum(dim=0) for value in (0, 1)], dim=1).float()  # [I, 2]
    by_value = [[torch.nonzero(likes[:, item] == value).squeeze(1) for value in (0, 1)] for item in range(items)]
    generator = nn.Sequential(Residual(LATENT + width), Residual(HIDDEN + LATENT + width), nn.Linear(2 * HIDDEN + LATENT + width, width))
    critic = nn.Sequential(nn.Linear(2 * width * PAC, HIDDEN), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(HIDDEN, HIDDEN),
                           nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(HIDDEN, 1))
    settings = {"lr": 2e-4, "betas": (0.5, 0.9), "weight_decay": 1e-6}
    generator_adam = torch.optim.Adam(generator.parameters(), **settings)
    critic_adam = torch.optim.Adam(critic.parameters(), **settings)

    def judge(rows):
        return critic(rows.reshape(-1, 2 * width * PAC))

    def fake_rows():
        column, category = draw_conditions(items, counts)
        condition = F.one_hot(2 * column + category, width).float()
        logits = generator(torch.cat([torch.randn(BATCH, LATENT), condition], dim=1))
        return column, category, condition, logits, torch.cat([activate(logits), condition], dim=1)

    seconds = []
    for _ in range(options.steps):
        begin = time.perf_counter()
        with torch.no_grad():
            column, category, condition, _, fake = fake_rows()
        order = torch.randperm(BATCH)
        chosen = []
        for j, k in zip(column[order].tolist(), category[order].tolist()):
            rows = by_value[j][k]
            chosen.append(int(rows[torch.randint(len(rows), (1,))]) if len(rows) else 0)
        real = torch.cat([F.one_hot(likes[chosen], 2).float().reshape(BATCH, -1), condition[order]], dim=1)
        a = torch.rand(BATCH // PAC, 1).repeat_interleave(PAC, dim=0)
        mixed = (a * real + (1 - a) * fake).requires_grad_()
        score = judge(mixed)
        slope = torch.autograd.grad(score, mixed, torch.ones_like(score), create_graph=True)[0]
        penalty = 10 * ((slope.reshape(BATCH // PAC, -1).norm(2, dim=1) - 1) ** 2).mean()
        critic_adam.zero_grad()
        (judge(fake).mean() - judge(real).mean() + penalty).backward()
        critic_adam.step()

        column, category, condition, logits, fake = fake_rows()
        conditioned = logits.reshape(BATCH, -1, 2)[torch.arange(BATCH), column]
        loss = F.cross_entropy(conditioned, category) - judge(fake).mean()
        generator_adam.zero_grad()
        loss.backward()
        generator_adam.step()
        seconds.append(time.perf_counter() - begin)
    warm = seconds[max(1, len(seconds) // 4) :]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"ctgan items {items}: median {statistics.median(warm):.4f} s a step, least {min(warm):.4f} s, peak {peak:.0f} MiB, "
          f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
