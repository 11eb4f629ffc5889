"Layers give the gradients that autograd gives."
import pytest
import torch

from fastlesson.forward import Params, forward, mse
from fastlesson.layers import MSE, Linear, Model, ReLU


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


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_dtypes_and_devices(dtype, device):
    if device.type == 'mps' and dtype == torch.float64: pytest.skip('no float64 there')
    x, target, params = problem(30, 7, 5, dtype, device)
    right_loss, right = autograd(x, target, params)
    tol = 20 * torch.finfo(dtype).eps   # a handful of roundings in sums over 30 rows
    model = Model([Linear(params.w1, params.b1), ReLU(), Linear(params.w2, params.b2)], MSE())
    assert_near(model(x, target), right_loss, tol)
    model.backward()
    for a, b in zip(model.grads, right): assert_near(a, b, tol)
