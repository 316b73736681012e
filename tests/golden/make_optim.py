"""Golden numbers of the optimisers on recorded gradients: parameters after each of six steps. Writes optim.txt."""

import torch

from golden_file import DTYPE, GoldenFile, Source

STEPS = 6
SHAPES = {"a": (7,), "b": (1,), "c": (3, 4)}

CASES = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {"lr": 0.05}),
    "adam_l2": (torch.optim.Adam, {"lr": 0.05, "weight_decay": 0.3}),
    "adamw": (torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.3}),
    "adam_betas": (torch.optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    "adam_l2_betas": (torch.optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}),
    "adamax": (torch.optim.Adamax, {"lr": 0.05}),
    "adamax_betas": (torch.optim.Adamax, {"lr": 0.05, "betas": (0.8, 0.7), "eps": 1e-3}),
    "adamw_betas": (torch.optim.AdamW, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}),
}


def recorded_gradients(source, initial):
    """Noisy slopes of a quadratic around another point. Entries 0 of `a` and `c` are small enough for eps to matter."""
    gradients = []
    for step in range(STEPS):
        gradient = {}
        for name, value in initial.items():
            gradient[name] = (value + 0.5) * 0.8**step + 0.3 * source.normal(*value.shape)
        gradient["a"][0] *= 1e-3
        gradient["c"][0, 0] *= 1e-3
        gradient["a"][3] = 0  # never a gradient: only weight decay moves it
        gradients.append(gradient)
    return gradients


def main():
    source = Source(20240613)
    initial = {name: 2 * source.normal(*shape) for name, shape in SHAPES.items()}
    gradients = recorded_gradients(source, initial)
    file = GoldenFile("make_optim.py", "Optimisers: parameters after each of six steps on recorded gradients")
    file.add_all("initial.", initial)
    for step, gradient in enumerate(gradients):
        file.add_all(f"grad_{step}.", gradient)
    for case, (optimiser_type, options) in CASES.items():
        parameters = {name: torch.nn.Parameter(value.clone()) for name, value in initial.items()}
        optimiser = optimiser_type(parameters.values(), **options)
        used = optimiser.param_groups[0]
        settings = {key: used[key] for key in ("lr", "momentum", "eps", "weight_decay") if key in used}
        if "betas" in used:
            settings |= {"beta1": used["betas"][0], "beta2": used["betas"][1]}
        file.add_all(f"{case}.", settings)
        for step, gradient in enumerate(gradients):
            for name, parameter in parameters.items():
                parameter.grad = gradient[name].clone().to(DTYPE)
            optimiser.step()
            file.add_all(f"{case}_{step}.", parameters)
    file.write("optim.txt")


if __name__ == "__main__":
    main()
