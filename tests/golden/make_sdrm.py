"""Golden numbers of the latent diffusion: the two objectives with every gradient and ten Adam steps each, and sampling.

Writes sdrm_step_published.txt, sdrm_step_paper.txt and sampling.txt.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source, assign

BATCH, LATENT, STEPS_T, BLOCKS = 5, 4, 9, 2
EMBEDDING = STEPS_T  # odd, so that one zero is appended
NOISE_SCALE, PERTURBATION = 0.7, 0.1
TRAINING_STEPS, LEARNING_RATE, WEIGHT_DECAY = 10, 1e-2, 1e-4
SAMPLES = 6


def schedule():
    """beta, alpha and alpha_bar, each over t = 0..T."""
    beta = torch.linspace(1e-4, 0.02, STEPS_T + 1, dtype=DTYPE)
    alpha = 1 - beta
    alpha_bar = torch.cumprod(alpha, dim=0)
    alpha_bar[0] = 1
    return beta, alpha, alpha_bar


def timestep_embedding(t):
    half = EMBEDDING // 2
    frequency = torch.exp(-math.log(1e4) * torch.arange(half, dtype=DTYPE) / half)
    angle = t.to(DTYPE)[:, None] * frequency
    return F.pad(torch.cat([angle.cos(), angle.sin()], dim=1), (0, EMBEDDING % 2))


class ScoreModel(nn.Module):
    """eps_theta(z, t), with its dropout mask given. `tied`: one hidden block applied BLOCKS times."""

    def __init__(self, source, tied):
        super().__init__()
        self.time = nn.Linear(EMBEDDING, EMBEDDING, dtype=DTYPE)
        self.input = nn.Linear(LATENT + EMBEDDING, LATENT, dtype=DTYPE)
        self.input_activation = nn.PReLU(init=0.25, dtype=DTYPE)
        blocks = [(nn.Linear(LATENT, LATENT, dtype=DTYPE), nn.PReLU(init=0.3, dtype=DTYPE)) for _ in range(1 if tied else BLOCKS)]
        self.hidden = nn.ModuleList([linear for linear, _ in blocks])
        self.hidden_activation = nn.ModuleList([activation for _, activation in blocks])
        self.output = nn.Linear(LATENT, LATENT, dtype=DTYPE)
        for linear in [self.time, self.input, *self.hidden, self.output]:
            bound = 1 / math.sqrt(linear.in_features)
            assign(linear.weight, source.uniform(bound, *linear.weight.shape))
            assign(linear.bias, source.uniform(bound, *linear.bias.shape))
        self.kink_distance = math.inf  # the smallest |input| any PReLU has seen
        self.negative_seen = 0

    def activate(self, activation, value):
        self.kink_distance = min(self.kink_distance, value.abs().min().item())
        self.negative_seen += (value < 0).sum().item()
        return activation(value)

    def forward(self, z, t, mask):
        time = self.time(timestep_embedding(t))
        h = self.activate(self.input_activation, self.input(torch.cat([z * mask, time], dim=1)))
        for block in range(BLOCKS):
            which = block % len(self.hidden)
            h = self.activate(self.hidden_activation[which], self.hidden[which](h))
        return torch.tanh(self.output(h))


def named(model, value_of):
    """Parameters (or what value_of makes of them) under Tapestry's names: the input weight is split by columns."""
    values = {f"time.{kind}": value_of(getattr(model.time, kind)) for kind in ("weight", "bias")}
    weight = value_of(model.input.weight)
    values |= {"input.weight_z": weight[:, :LATENT], "input.weight_t": weight[:, LATENT:]}
    values |= {"input.bias": value_of(model.input.bias), "input.slope": value_of(model.input_activation.weight)}
    for block, (linear, activation) in enumerate(zip(model.hidden, model.hidden_activation)):
        values |= {f"hidden.{block}.weight": value_of(linear.weight), f"hidden.{block}.bias": value_of(linear.bias)}
        values |= {f"hidden.{block}.slope": value_of(activation.weight)}
    values |= {"output.weight": value_of(model.output.weight), "output.bias": value_of(model.output.bias)}
    return values


def published_objective(model, z0, draws):
    _, _, alpha_bar = schedule()
    kept = alpha_bar[draws["t"]][:, None]
    noise = NOISE_SCALE * draws["eps"]
    z_t = kept.sqrt() * z0 + (1 - kept) * noise
    noisy = model(z_t, draws["t"], draws["mask_noisy"])
    clean = model(z0, draws["t"], draws["mask_clean"])
    perturbed = model(z0 + PERTURBATION * noise, draws["t"], draws["mask_perturbed"])
    residual = noisy - z0
    slope = (perturbed - clean) / PERTURBATION**2
    loss = 0.5 * (((slope - residual) ** 2).mean() + ((residual - clean) ** 2).mean()) / (1e-8 + residual.var(unbiased=True))
    return {"z_t": z_t, "noisy": noisy, "clean": clean, "perturbed": perturbed, "loss": loss}


def paper_objective(model, z0, draws):
    _, _, alpha_bar = schedule()
    kept = alpha_bar[draws["t"]][:, None]
    z_t = kept.sqrt() * z0 + (1 - kept).sqrt() * NOISE_SCALE * draws["eps"]
    noisy = model(z_t, draws["t"], draws["mask_noisy"])
    perturbed = model(z_t + draws["nu"], draws["t"], draws["mask_perturbed"])
    delta = noisy - z_t
    first = ((perturbed - noisy - delta) ** 2).sum(dim=1)
    second = ((noisy - delta) ** 2).sum(dim=1)
    loss = ((first + second) / (delta**2).sum(dim=1)).mean()
    return {"z_t": z_t, "noisy": noisy, "perturbed": perturbed, "loss": loss}


def draw(source, published):
    draws = {"t": source.integers(1, STEPS_T, BATCH), "eps": source.normal(BATCH, LATENT)}
    for name in ["mask_noisy", "mask_clean", "mask_perturbed"] if published else ["mask_noisy", "mask_perturbed"]:
        draws[name] = source.dropout_mask(BATCH, LATENT)
    if not published:
        draws["nu"] = 0.3 * source.normal(BATCH, LATENT)
    return draws


def write_step(variant, seed):
    published = variant == "published"
    objective = published_objective if published else paper_objective
    source = Source(seed)
    model = ScoreModel(source, tied=published)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    z0 = source.normal(BATCH, LATENT)
    file = GoldenFile("make_sdrm.py", f"SDRM, variant {variant}: one evaluation with all gradients, then ten training steps")
    file.add_all("initial.", named(model, lambda parameter: parameter))
    file.add("alpha_bar", schedule()[2])
    file.add_all("", {"noise_scale": NOISE_SCALE, "z0": z0})
    if published:
        file.add("perturbation", PERTURBATION)

    draws = draw(source, published)
    draws["t"] = torch.tensor([1, 4, STEPS_T, 2, 7])  # both ends of the schedule
    file.add_all("", draws)
    file.add("embedding", timestep_embedding(draws["t"]))
    outputs = objective(model, z0, draws)
    outputs["loss"].backward()
    file.add_all("", outputs)
    file.add_all("grad.", named(model, lambda parameter: parameter.grad))

    file.add_all("", {"lr": LEARNING_RATE, "weight_decay": WEIGHT_DECAY})
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=WEIGHT_DECAY)
    losses = []
    for step in range(TRAINING_STEPS):
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / TRAINING_STEPS)
        draws = draw(source, published)
        file.add_all("", {f"{name}_{step}": value for name, value in draws.items()})
        optimiser.zero_grad()
        loss = objective(model, z0, draws)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    file.add("losses", losses)
    file.add_all("final.", named(model, lambda parameter: parameter))
    file.write(f"sdrm_step_{variant}.txt")
    # A PReLU input at its kink would make the gradients depend on the last bit.
    assert model.kink_distance > 1e-4 and model.negative_seen > 50, (model.kink_distance, model.negative_seen)
    model.load_state_dict(initial)
    return model


@torch.no_grad()
def write_sampling(model, seed):
    """Algorithm 2 with the published network: all rows from T, and each row from a start of its own."""
    source = Source(seed)
    beta, alpha, alpha_bar = schedule()
    subject = "SDRM, variant published: F-SDRM and M-SDRM sampling with the network of sdrm_step_published.txt"
    file = GoldenFile("make_sdrm.py", subject)
    file.add_all("initial.", named(model, lambda parameter: parameter))
    file.add_all("", {"beta": beta, "alpha_bar": alpha_bar, "noise_scale": NOISE_SCALE})
    start = source.normal(SAMPLES, LATENT)
    first_step = torch.tensor([8, 1, 5, 3, 5, 2])
    file.add_all("", {"z_start": start, "first_step": first_step})

    full, multiple = start.clone(), start.clone()
    for t in range(STEPS_T, 0, -1):
        noise, mask = source.normal(SAMPLES, LATENT), source.dropout_mask(SAMPLES, LATENT)
        times = torch.full((SAMPLES,), t)

        def denoised(z):
            mean = (z - model(z, times, mask) * (1 - alpha[t]) / (1 - alpha_bar[t]).sqrt()) / alpha[t].sqrt()
            return mean + beta[t].sqrt() * NOISE_SCALE * noise if t > 1 else mean

        full = denoised(full)
        multiple = torch.where((first_step >= t)[:, None], denoised(multiple), multiple)
        file.add_all("", {f"noise_{t}": noise, f"mask_{t}": mask, f"z_full_{t}": full})
    file.add_all("", {"z_full": full, "z_multiple": multiple})
    file.write("sampling.txt")
    assert model.kink_distance > 1e-4, model.kink_distance


def main():
    published = write_step("published", seed=20240612)
    write_step("paper", seed=20240613)
    write_sampling(published, seed=20240604)


if __name__ == "__main__":
    main()
