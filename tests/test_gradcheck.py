"What `check_grads` says about gradients, right and wrong."
import math

import pytest
import torch

from fastlesson.backprop import forward_backward, relu_grad
from fastlesson.forward import Params, forward, mse, relu
from fastlesson.gradcheck import check_grads


def problem(n, d, h, dtype=torch.float64, device='cpu', seed=0):
    "Random inputs, targets and parameters."
    g = torch.Generator().manual_seed(seed)
    def randn(*shape): return torch.randn(*shape, generator=g, dtype=torch.float64).to(device, dtype)
    return randn(n, d), randn(n), Params(randn(d, h) / d**.5, randn(h), randn(h, 1) / h**.5, randn(1))


def test_report_on_float32_and_on_the_device(device):
    x, target, params = problem(6, 4, 3, torch.float32, device)
    def loss(w1, b1, w2, b2): return mse(forward(x.to(w1), Params(w1, b1, w2, b2)), target.to(w1))
    def grads(*args): return [g * args[-1] for g in forward_backward(x, target, Params(*args[:-1]))[1]]
    assert check_grads(loss, grads, *params).ok
    report = check_grads(loss, lambda *a: [g * 1.01 for g in grads(*a)], *params)   # one in a hundred is found in float32 too
    assert [f.ok for f in report.findings] == [False] * 4 and '1.01 times' in str(report)


def test_report_names_the_entry():
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    def wrong(x, g):
        grad = relu_grad(x, g)
        grad[2, 3] += 1e-4
        return grad
    finding, = check_grads(relu, wrong, x).findings
    assert not finding.ok and finding.entry == (2, 3) and 'WRONG in 1 of 20 entries' in finding.text and 'x[2, 3] is' in finding.text
    scalar = torch.tensor(2., dtype=torch.float64)
    report = check_grads(lambda s: s**3, lambda s, g: 2 * s**2 * g, scalar)
    assert 's is' in str(report) and 's[' not in str(report)


def test_large_arguments_are_sampled():
    x = torch.randn(50, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    report = check_grads(torch.tanh, lambda x, g: (1 - x.tanh()**2) * g, x, max_entries=30)
    assert str(report).startswith('input 0') and 'right in 30 of 2500' in str(report)   # a function in C tells no names
    assert 'transposed' in str(check_grads(lambda x: (x @ x).sum(), lambda x, g: (g * (x.sum(0)[:, None] + x.sum(1)).T), x, max_entries=30))


@pytest.mark.parametrize('wrong, look', [
    (lambda x, y, g: (g, x * g), 'a factor of y is missing'),
    (lambda x, y, g: (y * g * y, x * g), 'an extra factor of y'),
    (lambda x, y, g: (2 * y * g, x * g), 'counted twice'),
    (lambda x, y, g: (y * g * (y > 0), x * g), 'something is cut off'),
    (lambda x, y, g: ((y * g).sum(0), x * g), 'has shape (4,) and should have (3, 4)'),
    (lambda x, y, g: ((y * g)[None], x * g), 'sum it over axis 0'),
    (lambda x, y, g: ((y * g).float(), x * g), 'has type torch.float32'),
    (lambda x, y, g: (y * g * math.nan, x * g), 'WRONG in 12 of 12'),
    (lambda x, y, g: (y.mul_(g), x * g), 'changes y, which belongs to the caller'),
], ids=lambda v: v if isinstance(v, str) else "")
def test_looks(wrong, look):
    g = torch.Generator().manual_seed(3)
    x, y = (torch.randn(3, 4, generator=g, dtype=torch.float64) for _ in range(2))
    report = check_grads(lambda x, y: x * y, wrong, x, y)
    assert not report.ok and look in str(report), report


def test_wrong_axis_of_a_row_shared_by_all():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert 'summed over axis 1, the wrong one' in str(check_grads(lambda x, b: x + b, lambda x, b, g: (g, g.sum(1)), x, x[0]))


def test_what_cannot_be_checked_is_refused():
    x = torch.ones(3)
    with pytest.raises(TypeError, match='floats'): check_grads(lambda n: n, lambda n, g: g, torch.arange(3))
    with pytest.raises(ValueError, match='x is empty'): check_grads(relu, relu_grad, torch.zeros(0))
    with pytest.raises(ValueError, match='x is empty, or not finite'): check_grads(relu, relu_grad, x * math.nan)
    with pytest.raises(ValueError, match='grad_fn returns 1 gradients for 2 inputs'): check_grads(lambda x, y: x * y, lambda x, y, g: y * g, x, x)
    with pytest.raises(ValueError, match=r'out_grad has shape \(2,\)'): check_grads(relu, relu_grad, x, out_grad=x[:2])


def test_kinks_far_and_near_do_not_disturb():
    x = torch.randn(2000, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    w = torch.randn(3, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    def fn(w): return relu(x @ w).sum(0)
    def grad(w, g): return x.T @ ((x @ w > 0) * g)
    assert check_grads(fn, grad, w).ok   # a step moves thousands of rows; some cross a kink
    assert not check_grads(fn, lambda w, g: grad(w, g) * (1 + 1e-5), w).ok


def test_other_inputs_than_tensors_are_left_alone():
    x = torch.randn(4, generator=torch.Generator().manual_seed(3))
    report = check_grads(lambda x, power, which: x[which]**power, lambda x, power, which, g: (torch.zeros_like(x).index_put((which,), power * x[which]**(power-1) * g), None, None),
                         x, 3, torch.tensor([0, 2]))
    assert report.ok and repr(report) == str(report)
    for length in (3, 4):   # factors that are the length of an axis are called so, others are not
        y = torch.randn(length, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        assert f'{length} times what it should be, the length of axis 0 of x' in str(check_grads(lambda x: (x**2).mean(), lambda x, g: 2 * x * g, y))
        assert str(check_grads(lambda x: (x**2).mean(), lambda x, g: 1.5 * 2 * x * g / length, y)).endswith('1.5 times what it should be')
