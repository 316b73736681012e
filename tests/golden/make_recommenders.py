"""Golden numbers of the MLP and NeuMF recommenders: one evaluation with every gradient, then ten Adam steps. Writes mlp_step.txt
and neumf_step.txt."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source, assign

STEPS, LEARNING_RATE = 10, 1e-2

# --- MLP: items of each user. User 3 has none, user 5 a single one, item 10 is nobody's.
PROFILES = [[0, 2, 3, 7, 9], [1, 4], [0, 1, 5, 6, 8, 9], [], [2, 3, 4, 9], [6], [0, 5, 7, 8]]
ITEMS, WIDTH, FIRST, HIDDEN = 11, 3, 6, 5

# --- NeuMF: users, items, labels of one batch; pairs, users and items repeat. User 4 and item 6 do not occur.
TRIPLES = [(0, 1, 1), (0, 1, 1), (1, 0, 0), (2, 3, 1), (5, 1, 0), (3, 8, 1), (2, 7, 0), (5, 5, 1), (0, 4, 0)]
USERS, THINGS, GMF, TOWER = 6, 9, 3, 8


def fill(module, source):
    """Weights of a size that keeps all terms visible; biases larger than in training, so that a lost one shows."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            assign(parameter, 0.1 * source.normal(*parameter.shape))
        elif isinstance(module.get_submodule(name.rpartition(".")[0]), nn.Embedding):
            assign(parameter, 0.5 * source.normal(*parameter.shape))
        else:
            assign(parameter, source.uniform(math.sqrt(6 / sum(parameter.shape)), *parameter.shape))


class Mlp(nn.Module):
    """Every entry of a dense 0/1 row through an embedding by its value, then four dense layers: nothing sparse."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(2, WIDTH, dtype=DTYPE)
        sizes = [ITEMS * WIDTH, FIRST, HIDDEN, HIDDEN, ITEMS]
        self.layers = nn.ModuleList(nn.Linear(a, b, dtype=DTYPE) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x, masks):
        h = self.table(x.long()).flatten(1)
        for layer, mask in zip(self.layers, masks):
            h = torch.relu(layer(h)) * mask
        return self.layers[-1](h)

    def named(self, value_of):
        values = {"first.table": value_of(self.table.weight)}
        # Stored input-major: [items, width, outputs].
        values["first.weight"] = value_of(self.layers[0].weight).T.reshape(ITEMS, WIDTH, FIRST)
        values["first.bias"] = value_of(self.layers[0].bias)
        for i in (1, 2, 3):
            values[f"{i}.weight"] = value_of(self.layers[i].weight)
            values[f"{i}.bias"] = value_of(self.layers[i].bias)
        return values

    @staticmethod
    def draw(source):
        return [source.dropout_mask(len(PROFILES), width) for width in (FIRST, HIDDEN, HIDDEN)]


class NeuMf(nn.Module):
    def __init__(self):
        super().__init__()
        self.user_gmf = nn.Embedding(USERS, GMF, dtype=DTYPE)
        self.item_gmf = nn.Embedding(THINGS, GMF, dtype=DTYPE)
        self.user_mlp = nn.Embedding(USERS, TOWER, dtype=DTYPE)
        self.item_mlp = nn.Embedding(THINGS, TOWER, dtype=DTYPE)
        sizes = [2 * TOWER, TOWER, TOWER // 2, TOWER // 4]
        self.layers = nn.ModuleList(nn.Linear(a, b, dtype=DTYPE) for a, b in zip(sizes, sizes[1:]))
        self.output = nn.Linear(TOWER // 4 + GMF, 1, dtype=DTYPE)

    def forward(self, pairs, masks):
        users, items = pairs[:, 0], pairs[:, 1]
        h = torch.cat([self.user_mlp(users), self.item_mlp(items)], dim=1)
        for layer, mask in zip(self.layers, masks):
            h = torch.relu(layer(h * mask))
        return self.output(torch.cat([h, self.user_gmf(users) * self.item_gmf(items)], dim=1))

    def named(self, value_of):
        return {name.removeprefix("layers."): value_of(parameter) for name, parameter in self.named_parameters()}

    @staticmethod
    def draw(source):
        return [source.dropout_mask(len(TRIPLES), width) for width in (2 * TOWER, TOWER, TOWER // 2)]


def record(name, subject, model, source, inputs, target, eps, also=None):
    """One evaluation with gradients and ten steps on the same inputs, each with dropout masks of its own."""
    file = GoldenFile("make_recommenders.py", subject)
    fill(model, source)
    file.add_all("initial.", model.named(lambda parameter: parameter))
    file.add_all("", {"target": target, "lr": LEARNING_RATE, "adam_eps": eps, **(also or {})})

    def loss_with(masks):
        logits = model(inputs, masks)
        return logits, F.binary_cross_entropy_with_logits(logits, target)

    masks = model.draw(source)
    file.add_all("", {f"mask_{layer}": mask for layer, mask in enumerate(masks)})
    logits, loss = loss_with(masks)
    loss.backward()
    file.add_all("", {"logits": logits, "loss": loss})
    file.add_all("grad.", model.named(lambda parameter: parameter.grad))
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=eps)
    losses = []
    for step in range(STEPS):
        masks = model.draw(source)
        file.add_all("", {f"mask_{layer}_{step}": mask for layer, mask in enumerate(masks)})
        optimiser.zero_grad()
        loss = loss_with(masks)[1]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    file.add("losses", losses)
    file.add_all("final.", model.named(lambda parameter: parameter))
    return file.write(name)


def main():
    x = torch.zeros(len(PROFILES), ITEMS, dtype=DTYPE)
    for user, items in enumerate(PROFILES):
        x[user, items] = 1
    record("mlp_step.txt", "MLP: one evaluation with all gradients, then ten training steps", Mlp(), Source(20240611), x, x, 1e-7)
    triples = torch.tensor(TRIPLES)
    record("neumf_step.txt", "NeuMF: one evaluation with all gradients, then ten training steps", NeuMf(), Source(20240613),
           triples[:, :2], triples[:, 2:].to(DTYPE), 1e-8, {"users": triples[:, 0], "items": triples[:, 1]})


if __name__ == "__main__":
    main()
