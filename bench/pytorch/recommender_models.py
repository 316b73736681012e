"""MLP and NeuMF in PyTorch, with the initial values of ours, and the rows and triples of made-up data that they learn from."""

import math

import torch
from torch import nn
from torch.nn import functional as F

DROPOUT = 0.5


def linear(inputs, outputs, gain=None):
    """A layer with Glorot's initial weights and no bias, or, with a gain, LeCun's: variance gain / inputs."""
    layer = nn.Linear(inputs, outputs)
    if gain is None:
        nn.init.xavier_uniform_(layer.weight)
    else:
        nn.init.uniform_(layer.weight, -math.sqrt(3 * gain / inputs), math.sqrt(3 * gain / inputs))
    nn.init.zeros_(layer.bias)
    return layer


class Mlp(nn.Module):
    """Every entry of a dense 0/1 row through an embedding by its value, and all of them through dense layers."""

    def __init__(self, items, table_rows=1000):
        super().__init__()
        self.table = nn.Embedding(2, 8)
        nn.init.trunc_normal_(self.table.weight, std=math.sqrt(2 / table_rows))
        self.layers = nn.ModuleList([linear(8 * items, 512), linear(512, 256), linear(256, 256)])
        self.output = linear(256, items, gain=1)

    def forward(self, x):
        h = self.table(x).flatten(1)
        for layer in self.layers:
            h = F.dropout(torch.relu(layer(h)), DROPOUT, self.training)
        return self.output(h)

    def optimiser(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)


class NeuMf(nn.Module):
    def __init__(self, users, items):
        super().__init__()
        self.user_gmf, self.item_gmf = nn.Embedding(users, 8), nn.Embedding(items, 8)
        self.user_mlp, self.item_mlp = nn.Embedding(users, 32), nn.Embedding(items, 32)
        for table in (self.user_gmf, self.item_gmf, self.user_mlp, self.item_mlp):
            nn.init.normal_(table.weight, std=0.01)
        self.layers = nn.ModuleList([linear(64, 32), linear(32, 16), linear(16, 8)])
        self.output = linear(16, 1, gain=1)

    def forward(self, users, items):
        h = torch.cat([self.user_mlp(users), self.item_mlp(items)], dim=1)
        for layer in self.layers:
            h = torch.relu(layer(F.dropout(h, DROPOUT, self.training)))
        return self.output(torch.cat([self.user_gmf(users) * self.item_gmf(items), h], dim=1)).squeeze(1)

    def optimiser(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def random_rows(rows, items, density):
    """0/1 rows as integers; the first items are the most popular ones."""
    popularity = 2 * density * (1 - torch.arange(items) / items)
    return (torch.rand(rows, items) < popularity).long()


def random_triples(users, items, likes, dislikes):
    """Users, items and labels of likes and dislikes at random."""
    count = likes + dislikes
    return torch.randint(users, (count,)), torch.randint(items, (count,)), (torch.arange(count) < likes).float()
