"Gradients of any shape, type and device, and what `check_grads` says about those that are wrong."
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.backprop import MSE, Linear, Model, ReLU, check_grads, forward_backward, linear_grad, mse_grad, relu_grad
from fastlesson.forward import Params, forward, linear, mse, relu
from fastlesson.init import init_params


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


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(1, 50))
def test_chunks_of_any_size(n, d, h, rows):
    x, target, params = problem(n, d, h)
    loss, grads = forward_backward(x, target, params, rows)
    right_loss, right = autograd(x, target, params)
    torch.testing.assert_close(loss, right_loss)
    for a, b in zip(grads, right): assert_near(a, b, 1e-10)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_dtypes_and_devices(dtype, device):
    if device.type == 'mps' and dtype == torch.float64: pytest.skip('no float64 there')
    x, target, params = problem(30, 7, 5, dtype, device)
    loss, grads = forward_backward(x, target, params, rows=8)
    right_loss, right = autograd(x, target, params)
    tol = 20 * torch.finfo(dtype).eps   # a handful of roundings in sums over 30 rows
    assert_near(loss, right_loss, tol)
    for a, b in zip(grads, right): assert_near(a, b, tol)
    model = Model([Linear(params.w1, params.b1), ReLU(), Linear(params.w2, params.b2)], MSE())
    model(x, target)
    model.backward()
    for a, b in zip(model.grads, right): assert_near(a, b, tol)


def test_rows_of_another_stride_and_parameters_that_want_gradients():
    x, target, params = problem(30, 7, 5)
    wide = torch.zeros(7, 60, dtype=x.dtype)
    wide[:, ::2] = x.T
    leaves = Params(*(p.requires_grad_() for p in params))
    loss, grads = forward_backward(wide.T[::2], target, leaves, rows=8)
    assert not loss.requires_grad
    for a, b in zip(grads, autograd(x, target, params)[1]): assert_near(a, b, 1e-10)


def test_nothing_is_changed():
    x, target, params = problem(30, 7, 5)
    before = [t.clone() for t in (x, target, *params)]
    forward_backward(x, target, params, rows=8)
    for a, b in zip((x, target, *params), before): assert torch.equal(a, b)


def test_other_devices_and_shapes_are_refused():
    x, target, params = problem(6, 4, 3)
    with pytest.raises(RuntimeError, match='device'): forward_backward(x, target, params._replace(w1=params.w1.to('meta')))
    with pytest.raises(ValueError, match=r'b is \(2,\)'): forward_backward(x, target, params._replace(b1=params.b1[:2]))
    with pytest.raises(ValueError, match=r'output is \(6, 2\)'): forward_backward(x, target, Params(*params[:2], torch.cat([params.w2]*2, 1), torch.cat([params.b2]*2)))
    with pytest.raises(ValueError, match='y_grad'): linear_grad(x, params.w1, x)
    with pytest.raises(ValueError, match='y_grad'): relu_grad(x, x[:1])
    with pytest.raises(ValueError, match='target'): mse_grad(x[:, :1], target[:1])


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_shows(bad):
    x, target, params = problem(6, 4, 3)
    loss, grads = forward_backward(x, target.index_fill(0, torch.tensor([2]), bad), params)
    assert not loss.isfinite() and not any(g.isfinite().all() for g in grads)
    x = torch.tensor([math.nan, -1., 1.])
    assert relu_grad(x, torch.ones(3)).tolist() == [1., 0., 1.]   # as PyTorch's


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


def test_init_and_model_together():
    params = init_params(9, 4, 1, generator=torch.Generator().manual_seed(0), device='cpu', dtype=torch.float64)
    x, target, _ = problem(1, 9, 4)   # a batch of one
    for a, b in zip(forward_backward(x, target, params)[1], autograd(x, target, params)[1]): assert_near(a, b, 1e-12)
