"""Golden values and gradients of single operations. Writes ops.txt."""

import torch
from torch.nn import functional as F

from golden_file import DTYPE, GoldenFile, Source

ROWS, COLS = 3, 5


def softplus(x):
    return F.softplus(x, threshold=1000)  # PyTorch's default returns x itself above 20


def record(file, case, operation, inputs, cotangent):
    """Under CASE: the value, and for each input the gradient of <cotangent, value>."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    value = operation(*leaves.values())
    assert value.shape == cotangent.shape, (case, value.shape)
    gradients = torch.autograd.grad(value, list(leaves.values()), cotangent)
    file.add(f"{case}.value", value)
    for name, gradient in zip(leaves, gradients):
        file.add(f"{case}.grad_{name}", gradient)


def main():
    source = Source(20240606)
    x, other = 1.5 * source.normal(ROWS, COLS), source.normal(ROWS, COLS)
    # Magnitudes whose exponential overflows float32 (90) or loses the 1 in 1 + exp(x) (30), in both signs, zero included.
    large = torch.tensor([[30, -30, 90, -90, 0.0], [-90, 0.5, -1.25, 30, 2], [90, 90, 88.75, -30, -2.5]], dtype=DTYPE)
    label = torch.tensor([[1, 0, 0, 1, 1.0], [0, 1, 0.25, 0, 1], [1, 0, 0.75, 1, 0]], dtype=DTYPE)
    slope = torch.tensor([0.3], dtype=DTYPE)
    matrix, scalar = source.normal(ROWS, COLS), torch.tensor(-1.7, dtype=DTYPE)
    file = GoldenFile("make_ops.py", "Operations: values, and gradients under the cotangent of the value's shape")
    inputs = {"x": x, "x_large": large, "y": other, "label": label, "slope": slope}
    file.add_all("", inputs | {"cotangent_matrix": matrix, "cotangent_scalar": scalar})

    for suffix, value in {"": x, "_large": large}.items():
        record(file, f"softplus{suffix}", softplus, {"x": value}, matrix)
        record(file, f"log_softmax{suffix}", lambda v: F.log_softmax(v, dim=1), {"x": value}, matrix)
        # Labels are constants: no gradient is recorded for them.
        record(file, f"bce_with_logits{suffix}", lambda v: F.binary_cross_entropy_with_logits(v, label), {"x": value}, scalar)
    record(file, "sigmoid", torch.sigmoid, {"x": x}, matrix)
    record(file, "tanh", torch.tanh, {"x": x}, matrix)
    record(file, "leaky_relu", lambda v: F.leaky_relu(v, 0.2), {"x": x}, matrix)
    record(file, "prelu", F.prelu, {"x": x, "slope": slope}, matrix)
    record(file, "mse", F.mse_loss, {"x": x, "y": other}, scalar)
    record(file, "variance", lambda v: v.var(unbiased=True), {"x": x}, scalar)
    file.write("ops.txt")


if __name__ == "__main__":
    main()
