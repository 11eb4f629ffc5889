"Gradients of any shape, type and device."
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.backprop import forward_backward, linear_grad, mse_grad, relu_grad
from fastlesson.forward import Params
from fastlesson.init import init_params
from two_layers import assert_near, autograd, problem


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
    with pytest.raises(ValueError, match='w1 is .* on meta.*on one device'): forward_backward(x, target, params._replace(w1=params.w1.to('meta')))
    with pytest.raises(ValueError, match=r'b1 is \(2,\)'): forward_backward(x, target, params._replace(b1=params.b1[:2]))
    with pytest.raises(ValueError, match=r'w2 is \(3, 2\)'): forward_backward(x, target, Params(*params[:2], torch.cat([params.w2]*2, 1), torch.cat([params.b2]*2)))
    with pytest.raises(ValueError, match='y_grad'): linear_grad(x, params.w1, x)
    with pytest.raises(ValueError, match='y_grad'): relu_grad(x, x[:1])
    with pytest.raises(ValueError, match='target'): mse_grad(x[:, :1], target[:1])


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_shows(bad):
    x, target, params = problem(6, 4, 3)
    target = target.index_fill(0, torch.tensor([2]), bad)
    loss, grads = forward_backward(x, target, params)
    assert not loss.isfinite() and not grads.b2.isfinite()
    for a, b in zip(grads, autograd(x, target, params)[1]): torch.testing.assert_close(a, b, equal_nan=True)   # a unit that is off stays out of it
    x = torch.tensor([math.nan, -1., 1.])
    assert relu_grad(x, torch.ones(3)).tolist() == [1., 0., 1.]   # as PyTorch's


def test_init_and_model_together():
    params = init_params(9, 4, 1, generator=torch.Generator().manual_seed(0), device='cpu', dtype=torch.float64)
    x, target, _ = problem(1, 9, 4)   # a batch of one
    for a, b in zip(forward_backward(x, target, params)[1], autograd(x, target, params)[1]): assert_near(a, b, 1e-12)


def test_an_infinite_target_spoils_no_more_than_autograd_lets_it():
    x, target = torch.tensor([[-1.], [1.]]), torch.tensor([math.inf, 0.])
    params = Params(torch.ones(1, 1), torch.zeros(1), torch.ones(1, 1), torch.zeros(1))
    grads, right = forward_backward(x, target, params)[1], autograd(x, target, params)[1]
    assert grads.w1.isfinite().all() and grads.b1.isfinite().all()   # the unit was off where the target is infinite
    for a, b in zip(grads, right): torch.testing.assert_close(a, b, equal_nan=True)


def test_what_torch_would_silently_get_wrong_is_refused():
    x, w = torch.ones(3, 4, 5), torch.ones(5, 4)
    with pytest.raises(ValueError, match=r'x is \(3, 4, 5\), .*: they must be x \(n, d\), w \(d, h\), y_grad \(n, h\)'): linear_grad(x, w, torch.ones(3, 4))
    with pytest.raises(ValueError, match=r'w is \(3, 4\)'): linear_grad(x[0], w[:3], torch.ones(4, 4))
    with pytest.raises(ValueError, match='output is .* torch.uint8'): mse_grad(torch.ones(3, 1, dtype=torch.uint8), torch.full((3,), 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match='w is .* torch.int64'): linear_grad(x[:, 0], w.long(), torch.ones(3, 4))
    with pytest.raises(ValueError, match='y_grad is .* torch.int64'): relu_grad(x, x.long())
    with pytest.raises(ValueError, match='rows is 0: it must be a whole number, 1 or more'): forward_backward(*problem(6, 4, 3), rows=0)
    assert mse_grad(x[:0, 0, :1], x[:0, 0, 0]).shape == (0, 1)
