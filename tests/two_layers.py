"A small two-layer model to try gradients on: random numbers, autograd's answer, and how near is near."
import torch

from fastlesson.forward import Params, forward, mse


def problem(n, d, h, dtype=torch.float64, device='cpu', seed=0):
    "Random inputs, targets and parameters."
    g = torch.Generator().manual_seed(seed)
    def randn(*shape): return torch.randn(*shape, generator=g, dtype=torch.float64).to(device, dtype)
    return randn(n, d), randn(n), Params(randn(d, h) / d**.5, randn(h), randn(h, 1) / h**.5, randn(1))


def autograd(x, target, params):
    leaves = Params(*(p.detach().clone().requires_grad_() for p in params))
    loss = mse(forward(x, leaves), target)
    return loss.detach(), Params(*torch.autograd.grad(loss, leaves))


def assert_near(got, right, tol):
    "To within `tol` of the largest entry."
    assert got.shape == right.shape and got.dtype == right.dtype and got.device == right.device
    torch.testing.assert_close(got, right, rtol=0, atol=tol * max(right.abs().max().item(), 1e-3))
