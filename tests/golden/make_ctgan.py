"""Golden numbers of one CTGAN over a small table: a critic step with gradient penalty and a generator step with every gradient, then
ten training steps of both. Everything is dense here: one-hot rows and conditions, all logits, the penalty by autograd.grad with
create_graph. Writes ctgan_step.txt."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source, assign
from table_layout import CATEGORIES, COLUMNS, category_count, one_hot, position, positions

BATCH, PAC, LATENT, HIDDEN = 6, 3, 4, 5
PACS = BATCH // PAC
TEMPERATURE, SLOPE, DROPOUT, PENALTY = 0.2, 0.2, 0.5, 10.0
STEPS, LEARNING_RATE, BETAS, L2 = 10, 2e-4, (0.5, 0.9), 1e-6


def linear(source, inputs, outputs):
    made = nn.Linear(inputs, outputs, dtype=DTYPE)
    bound = 1 / math.sqrt(inputs)
    assign(made.weight, source.uniform(bound, *made.weight.shape))
    assign(made.bias, source.uniform(bound, *made.bias.shape))
    return made


class Generator(nn.Module):
    def __init__(self, source):
        super().__init__()
        widths = [LATENT + CATEGORIES, HIDDEN + LATENT + CATEGORIES]
        self.blocks = nn.ModuleList([linear(source, width, HIDDEN) for width in widths])
        self.norms = nn.ModuleList([nn.BatchNorm1d(HIDDEN, dtype=DTYPE) for _ in widths])
        for norm in self.norms:  # away from 1 and 0, so that a lost one shows
            assign(norm.weight, 1 + source.uniform(0.3, HIDDEN))
            assign(norm.bias, source.uniform(0.3, HIDDEN))
        self.output = linear(source, 2 * HIDDEN + LATENT + CATEGORIES, CATEGORIES)

    def forward(self, z, condition):
        x = torch.cat([z, condition], dim=1)
        for block, norm in zip(self.blocks, self.norms):
            x = torch.cat([F.relu(norm(block(x))), x], dim=1)
        return self.output(x)


class Critic(nn.Module):
    def __init__(self, source):
        super().__init__()
        self.layers = nn.ModuleList([linear(source, 2 * CATEGORIES * PAC, HIDDEN), linear(source, HIDDEN, HIDDEN),
                                     linear(source, HIDDEN, 1)])

    def forward(self, x, masks):
        x = x.reshape(-1, 2 * CATEGORIES * PAC)
        x = F.leaky_relu(self.layers[0](x), SLOPE) * masks[0]
        x = F.leaky_relu(self.layers[1](x), SLOPE) * masks[1]
        return self.layers[2](x)


def activate(logits, gumbel):
    rows = torch.zeros_like(logits)
    for column in range(COLUMNS):
        at = positions(column)
        rows[:, at] = torch.softmax((logits[:, at] + gumbel[:, at]) / TEMPERATURE, dim=1)
    return rows


def draw_conditions(source):
    """A column and one of its categories for every row."""
    columns = source.integers(0, COLUMNS - 1, BATCH).tolist()
    return [[column, int(source.integers(0, category_count(column) - 1, 1))] for column in columns]


def dense_conditions(conditions):
    rows = torch.zeros(BATCH, CATEGORIES, dtype=DTYPE)
    for row, (column, category) in enumerate(conditions):
        rows[row, position(column, category)] = 1
    return rows


def draw(source, file, suffix):
    """The random inputs of one critic step and one generator step, recorded."""
    inputs = {}
    for turn, passes in {"critic": 3, "generator": 1}.items():
        inputs[f"{turn}_conditions"] = draw_conditions(source)
        inputs[f"{turn}_z"] = source.normal(BATCH, LATENT)
        uniform = (source.uniform(1, BATCH, CATEGORIES) + 1) / 2
        inputs[f"{turn}_gumbel"] = -torch.log(-torch.log(uniform.clamp(1e-6, 1 - 1e-6)))
        for index in range(passes):
            for layer in range(2):
                inputs[f"{turn}_mask_{index}_{layer}"] = source.dropout_mask(PACS, HIDDEN, p=DROPOUT)
    inputs["real_conditions"] = draw_conditions(source)
    inputs["real"] = torch.tensor([[int(source.integers(0, category_count(column) - 1, 1)) for column in range(COLUMNS)]
                                   for _ in range(BATCH)])
    inputs["mixture"] = (source.uniform(1, PACS, 1) + 1) / 2
    file.add_all("", {name + suffix: torch.as_tensor(value) for name, value in inputs.items()})
    return inputs


def critic_objective(generator, critic, inputs):
    condition = dense_conditions(inputs["critic_conditions"])
    with torch.no_grad():
        fake = torch.cat([activate(generator(inputs["critic_z"], condition), inputs["critic_gumbel"]), condition], dim=1)
    real = torch.cat([one_hot(inputs["real"]), dense_conditions(inputs["real_conditions"])], dim=1)
    masks = [[inputs[f"critic_mask_{index}_{layer}"] for layer in range(2)] for index in range(3)]
    a = inputs["mixture"].repeat_interleave(PAC, dim=0)
    mixed = (a * real + (1 - a) * fake).requires_grad_()
    score = critic(mixed, masks[2])
    slope = torch.autograd.grad(score, mixed, torch.ones_like(score), create_graph=True)[0]
    penalty = PENALTY * ((slope.reshape(PACS, -1).norm(2, dim=1) - 1) ** 2).mean()
    loss = critic(fake, masks[1]).mean() - critic(real, masks[0]).mean() + penalty
    return {"critic_loss": loss, "penalty": penalty}


def generator_objective(generator, critic, inputs):
    conditions = inputs["generator_conditions"]
    condition = dense_conditions(conditions)
    logits = generator(inputs["generator_z"], condition)
    cross_entropy = sum(
        F.cross_entropy(logits[row : row + 1, positions(column)], torch.tensor([category]))
        for row, (column, category) in enumerate(conditions)
    ) / BATCH
    fake = torch.cat([activate(logits, inputs["generator_gumbel"]), condition], dim=1)
    masks = [inputs[f"generator_mask_0_{layer}"] for layer in range(2)]
    return {"logits": logits, "cross_entropy": cross_entropy, "generator_loss": cross_entropy - critic(fake, masks).mean()}


def named_generator(generator, value_of):
    """Under Tapestry's names: what multiplies the condition is a table [C, out]."""
    values = {}
    layers = {"block.0": generator.blocks[0], "block.1": generator.blocks[1], "output": generator.output}
    for name, layer in layers.items():
        weight = value_of(layer.weight)
        values[f"{name}.weight"] = weight[:, :-CATEGORIES]
        values[f"{name}.bias"] = value_of(layer.bias)
        values[f"{name}.condition"] = weight[:, -CATEGORIES:].T
    for index, norm in enumerate(generator.norms):
        values[f"block.{index}.norm.weight"] = value_of(norm.weight)
        values[f"block.{index}.norm.bias"] = value_of(norm.bias)
    return values


def named_critic(critic, value_of):
    """Under Tapestry's names: the first layer in two parts, input-major, the places of a pac one below the other."""
    places = value_of(critic.layers[0].weight).T.reshape(PAC, 2, CATEGORIES, HIDDEN)
    values = {"values.weight": places[:, 0].reshape(-1, HIDDEN), "conditions.weight": places[:, 1].reshape(-1, HIDDEN)}
    values["0.bias"] = value_of(critic.layers[0].bias)
    for index in (1, 2):
        values[f"{index}.weight"] = value_of(critic.layers[index].weight)
        values[f"{index}.bias"] = value_of(critic.layers[index].bias)
    return values


def add_both(file, prefix, generator, critic, value_of):
    file.add_all(f"{prefix}.generator.", named_generator(generator, value_of))
    file.add_all(f"{prefix}.critic.", named_critic(critic, value_of))


def main():
    source = Source(20240912)
    generator, critic = Generator(source), Critic(source)
    file = GoldenFile("make_ctgan.py", "CTGAN: a critic and a generator step with all gradients, then ten training steps")
    add_both(file, "initial", generator, critic, lambda parameter: parameter.detach().clone())
    file.add_all("", {"temperature": TEMPERATURE, "slope": SLOPE, "penalty_weight": PENALTY, "pac": PAC})

    inputs = draw(source, file, "")
    outputs = critic_objective(generator, critic, inputs)
    outputs["critic_loss"].backward()
    file.add_all("", outputs)
    file.add_all("grad.critic.", named_critic(critic, lambda parameter: parameter.grad))
    outputs = generator_objective(generator, critic, inputs)
    outputs["generator_loss"].backward()
    file.add_all("", outputs)
    file.add_all("grad.generator.", named_generator(generator, lambda parameter: parameter.grad))

    file.add_all("", {"lr": LEARNING_RATE, "betas": BETAS, "l2": L2})
    settings = {"lr": LEARNING_RATE, "betas": BETAS, "eps": 1e-8, "weight_decay": L2}
    optimisers = [torch.optim.Adam(model.parameters(), **settings) for model in (critic, generator)]
    losses = {"critic_losses": [], "generator_losses": []}
    for step in range(STEPS):
        inputs = draw(source, file, f"_{step}")
        for turn, (objective, optimiser) in enumerate(zip([critic_objective, generator_objective], optimisers)):
            name = ["critic", "generator"][turn]
            optimiser.zero_grad()
            loss = objective(generator, critic, inputs)[f"{name}_loss"]
            loss.backward()
            optimiser.step()
            losses[f"{name}_losses"].append(loss.item())
    file.add_all("", losses)
    add_both(file, "final", generator, critic, lambda parameter: parameter.detach().clone())
    file.write("ctgan_step.txt")


if __name__ == "__main__":
    main()
