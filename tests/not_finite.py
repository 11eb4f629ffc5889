"Infinities and NaNs in a forward and backward pass, which kernels of lessons 10 and 11 must take through as autograd does."
import pytest
import torch

from fastlesson.forward import Params, forward, mse


def not_finite(test):
    "Run a test with one number that is not finite, in each place where it can stand."
    test = pytest.mark.parametrize('which, at', [('x', (65, 2)), ('w1', (1, 3)), ('b1', (2,)), ('w2', (4, 0)), ('b2', (0,))])(test)
    return pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])(test)


def check_not_finite(fused, which, at, value, hidden, device='cpu'):
    "It comes out where it does with autograd."
    rand = torch.Generator().manual_seed(0)
    x, target = torch.randn(70, 9, generator=rand).to(device), torch.randn(70, generator=rand).to(device)
    params = Params(*(torch.randn(*s, generator=rand).to(device) for s in ((9, hidden), (hidden,), (hidden, 1), (1,))))
    (x if which == 'x' else getattr(params, which))[at] = value
    leaves = [p.clone().requires_grad_() for p in params]
    expected = mse(forward(x, Params(*leaves)), target)
    expected.backward()
    loss, grads = fused(x, target, params)
    for ours, theirs in zip((loss, *grads), (expected.detach(), *(p.grad for p in leaves))):
        torch.testing.assert_close(ours, theirs, equal_nan=True, rtol=1e-4, atol=1e-4)   # where they are finite is what counts here
