"""Seconds of one TVAE training step in PyTorch at the package's defaults, on a random binary table: dense one-hot rows, all logits,
all columns at once (the package itself loops over them).

    python tvae_step.py --items 1008 --rows 938 --density 0.06
"""

import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

HIDDEN, LATENT, BATCH = 128, 128, 500


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1008)
    parser.add_argument("--rows", type=int, default=938)
    parser.add_argument("--density", type=float, default=0.06)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)

    likes = (torch.rand(options.rows, options.items) < options.density).long()
    data = F.one_hot(likes, 2).float().reshape(options.rows, -1)  # [N, 2 I]
    encoder = nn.Sequential(nn.Linear(2 * options.items, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
    mu, log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
    decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
                            nn.Linear(HIDDEN, 2 * options.items))
    model = nn.ModuleList([encoder, mu, log_variance, decoder])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)

    seconds = []
    for _ in range(options.steps):
        begin = time.perf_counter()
        rows = torch.randperm(options.rows)[:BATCH]
        x = data[rows]
        optimiser.zero_grad()
        h = encoder(x)
        mean, log_var = mu(h), log_variance(h)
        logits = decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * log_var))
        reconstruction = F.cross_entropy(logits.reshape(-1, 2), likes[rows].reshape(-1), reduction="sum") / len(rows)
        kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum() / len(rows)
        loss = 2 * reconstruction + kl
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - begin)
    warm = seconds[len(seconds) // 4 :]
    print(f"tvae items {options.items}: median {statistics.median(warm):.4f} s a step, least {min(warm):.4f} s, loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
