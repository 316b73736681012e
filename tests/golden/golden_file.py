"""The text format of the golden files and the small helpers that the make_*.py scripts share."""

import pathlib

import torch

DTYPE = torch.float64


class GoldenFile:
    """Collects named tensors and writes them as text: a `tensor NAME RANK d0 d1 ...` line, then one line per row."""

    def __init__(self, script, subject):
        self.lines = [f"# {subject}", f"# Written by {script} with PyTorch {torch.__version__.split('+')[0]}; see README.md."]
        self.names = set()

    def add(self, name, value):
        value = torch.as_tensor(value, dtype=DTYPE).detach()
        if name in self.names:
            raise ValueError(f"{name} is recorded twice")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
        self.names.add(name)
        self.lines.append(" ".join(["tensor", name, str(value.dim())] + [str(size) for size in value.shape]))
        rows = value.reshape(-1, value.shape[-1] if value.dim() > 0 else 1)
        self.lines += [" ".join(f"{number:.17g}" for number in row) for row in rows.tolist()]

    def add_all(self, prefix, named):
        for name, value in named.items():
            self.add(prefix + name, value)

    def write(self, name):
        path = pathlib.Path(__file__).resolve().parent / name
        path.write_text("\n".join(self.lines) + "\n")
        print(f"{name}: {len(self.names)} tensors, {path.stat().st_size} bytes")


class Source:
    """Seeded random inputs. Everything drawn here is recorded in the file, so the seed itself means nothing to a test."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator, dtype=DTYPE)

    def uniform(self, bound, *shape):
        """Uniform in [-bound, bound)."""
        return (2 * torch.rand(shape, generator=self.generator, dtype=DTYPE) - 1) * bound

    def dropout_mask(self, *shape, p=0.5):
        """0 with probability p, else 1 / (1 - p)."""
        return (torch.rand(shape, generator=self.generator, dtype=DTYPE) >= p).to(DTYPE) / (1 - p)

    def integers(self, low, high, *shape):
        """Uniform integers in low..high, both included."""
        return torch.randint(low, high + 1, shape, generator=self.generator)


def assign(parameter, value):
    """Overwrites a parameter's values and checks its shape, which copy_ alone would broadcast."""
    assert parameter.shape == value.shape, (parameter.shape, value.shape)
    with torch.no_grad():
        parameter.copy_(value)
