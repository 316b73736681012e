"""Epochs of MLP's and NeuMF's training as one would write them in eager PyTorch, with all data in memory: what tapestry_bench's epochs of
the two recommenders do, validation included, but that the best epoch's weights are not kept. Each epoch is a function without arguments
that returns the losses of its updates."""

import torch
from torch.nn import functional as F

VALIDATION_SHARE = 0.2
MLP_BATCH, MLP_TILE = 16, 256
NEUMF_BATCH, NEUMF_TILE = 256, 8192


def update(optimiser, logits, labels):
    optimiser.zero_grad()
    loss = F.binary_cross_entropy_with_logits(logits, labels)
    loss.backward()
    optimiser.step()
    return loss.detach()


def mlp_epochs(model, rows):
    """The first rows train, the others stop; batches are rows in an order of the epoch's own."""
    cut = int(len(rows) * (1 - VALIDATION_SHARE))
    train, valid = rows[:cut], rows[cut:]
    optimiser = model.optimiser()

    @torch.no_grad()
    def rmse():
        model.eval()
        squares = sum(((torch.sigmoid(model(tile)) - tile) ** 2).sum() for tile in valid.split(MLP_TILE))
        return (squares / valid.numel()).sqrt().item()

    def epoch():
        model.train()
        losses = []
        for batch in torch.randperm(len(train)).split(MLP_BATCH):
            x = train[batch]
            losses.append(update(optimiser, model(x), x.float()))
        rmse()
        return losses

    return epoch


def epoch_triples(labels):
    """Positions of an epoch's triples: those that train, with zeros drawn among them as often as they have ones, in random order, and
    those that its loss is measured on."""
    order = torch.randperm(len(labels))
    cut = int(len(labels) * (1 - VALIDATION_SHARE))
    train, valid = order[:cut], order[cut:]
    zeros = train[labels[train] == 0]
    added = zeros[torch.randint(len(zeros), (len(train) - len(zeros),))]
    train = torch.cat([train, added])
    return train[torch.randperm(len(train))], valid


def neumf_epochs(model, triples):
    labels = triples[2]
    optimiser = model.optimiser()

    def batches(positions, size):
        return zip(*(column[positions].split(size) for column in triples))

    @torch.no_grad()
    def mean_loss(positions):
        model.eval()
        parts = (F.binary_cross_entropy_with_logits(model(users, items), wanted, reduction="sum")
                 for users, items, wanted in batches(positions, NEUMF_TILE))
        return sum(parts).item() / len(positions)

    def epoch():
        model.train()
        train, valid = epoch_triples(labels)
        losses = [update(optimiser, model(users, items), wanted) for users, items, wanted in batches(train, NEUMF_BATCH)]
        mean_loss(valid)
        return losses

    return epoch
