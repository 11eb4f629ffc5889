"Lesson 2 under bad input, in every precision, and for shapes that nobody chose."
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from fastlesson.forward import Params, check_inputs, forward, linear, mse, relu

SIZE = st.integers(1, 40)


def dtypes(device):
    "The floating dtypes of a device; some accelerators have no float64."
    return [torch.float32, torch.bfloat16, torch.float16] + [torch.float64] * (device.type != 'mps')


def normal(*shape, dtype=torch.float32, device='cpu', seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)


def test_dtypes_and_device(device):
    "What comes out has the dtype and device of what went in, and the value of float64 within the rounding of a sum of products."
    shapes = (6, 5), (5, 4), (4,), (4, 1), (1,)
    for dtype in dtypes(device):
        x, *params = [normal(*shape, dtype=dtype, device=device, seed=i) for i, shape in enumerate(shapes)]
        output = forward(x, Params(*params))
        loss = mse(output, torch.arange(6, device=device))
        assert output.dtype == loss.dtype == dtype and output.device.type == loss.device.type == device.type
        assert output.shape == (6, 1) and loss.shape == ()
        x, w1, b1, w2, b2 = (t.cpu().double() for t in (x, *params))
        hidden = F.relu(F.linear(x, w1.T, b1))
        size = (x.abs() @ w1.abs() + b1.abs()) @ w2.abs() + b2.abs()   # of the terms that are summed
        allowed = 2 * (5 + 4 + 2) * torch.finfo(dtype).eps * size
        assert ((output.cpu().double() - F.linear(hidden, w2.T, b2)).abs() <= allowed).all()


@settings(deadline=None)
@given(n=SIZE, n_in=SIZE, n_hidden=SIZE, n_out=SIZE, seed=st.integers(0, 1000))
def test_any_shape(n, n_in, n_hidden, n_out, seed):
    shapes = (n, n_in), (n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,)
    x, *params = (normal(*shape, dtype=torch.float64, seed=seed + i) for i, shape in enumerate(shapes))
    w1, b1, w2, b2 = params
    assert_close(forward(x, Params(*params)), F.linear(F.relu(F.linear(x, w1.T, b1)), w2.T, b2))


@settings(deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_relu_of_any_number(numbers):
    "Infinities, NaN, zeros of both signs and subnormals, their values and their slopes."
    x, y = (torch.tensor(numbers, requires_grad=True) for _ in range(2))
    out, reference = relu(x), F.relu(y)
    assert_close(out, reference, equal_nan=True, rtol=0, atol=0)
    out.sum().backward(), reference.sum().backward()
    finite = ~x.isnan()
    assert_close(x.grad[finite], y.grad[finite])


def test_inputs_are_left_alone():
    x, params = normal(3, 4), Params(normal(4, 2), normal(2), normal(2, 1), normal(1))
    before = [t.clone() for t in (x, *params)]
    mse(forward(x, params), torch.zeros(3)), relu(x)
    for t, old in zip((x, *params), before): assert torch.equal(t, old)


@pytest.mark.parametrize('x, w, b', [
    ((3, 4), (4, 3), (3, 1)), ((3, 4), (4, 3), (1, 3)), ((3, 4), (4, 3), (1,)), ((3, 4), (4, 3), ()),
    ((4,), (4, 3), (3,)), ((2, 3, 4), (4, 3), (3,)), ((3, 4), (4,), ())])
def test_linear_refuses_shapes(x, w, b):
    with pytest.raises(ValueError, match=r'must be x \(n, n_in\), w \(n_in, n_out\), b \(n_out\)'):
        linear(torch.ones(x), torch.ones(w), torch.ones(b))


def test_linear_refuses_dtypes():
    x, w, b = torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)
    for bad in ((x.double(), w, b), (x, w, b.double()), (x.long(), w.long(), b.long())):
        with pytest.raises(ValueError, match='of one floating dtype'): linear(*bad)
    with pytest.raises(ValueError, match=r'x is \(2, 3\), torch.float32, w is \(4, 5\)'): linear(x, torch.ones(4, 5), torch.ones(5))


@pytest.mark.parametrize('output, target', [
    ((4,), (4,)), ((4, 1), (4, 1)), ((1, 4), (4,)), ((4, 2), (4,)), ((4, 1), (3,)), ((4, 1), (1,)), ((1, 1), (4,)), ((4, 1), ()), ((), ()), ((0, 1), (0,))])
def test_mse_refuses_shapes(output, target):
    with pytest.raises(ValueError, match=r'output is .*, target is .*: they must be output \(n, 1\), target \(n\) real, with n at least 1'): mse(torch.ones(output), torch.ones(target))


def test_mse_dtypes():
    with pytest.raises(ValueError, match='torch.int64'): mse(torch.ones(4, 1, dtype=torch.int64), torch.ones(4))
    assert mse(torch.full((1, 1), 3.), torch.tensor([1])).item() == 4   # one image, a whole-number label


PARAMS = Params(normal(4, 3), normal(3), normal(3, 1), normal(1))


@pytest.mark.parametrize('x, target, params, kind, fault', [
    ((5, 4), (5,), PARAMS, None, None),
    ((1, 4), (1,), PARAMS, None, None),
    ((0, 4), (0,), PARAMS, ValueError, 'x has no rows'),
    ((5, 3), (5,), PARAMS, ValueError, r'x is \(5, 3\).*w1 is \(4, 3\)'),
    ((5, 4), (4,), PARAMS, ValueError, r'target is \(4,\)'),
    ((5, 4), (5, 1), PARAMS, ValueError, 'target is \\(5, 1\\)'),
    ((5, 4), (5,), PARAMS._replace(b1=torch.ones(1)), ValueError, r'b1 is \(1,\)'),
    ((5, 4), (5,), PARAMS._replace(w2=torch.ones(3, 2), b2=torch.ones(2)), ValueError, r'w2 is \(3, 2\).*w2 \(n_hidden, 1\)'),
    ((5, 4), (5,), PARAMS._replace(w2=PARAMS.w2.double()), ValueError, 'of one floating dtype')])
def test_check_inputs(x, target, params, kind, fault):
    x, target = torch.ones(x), torch.ones(target)
    if kind is None: return check_inputs(x, target, params)
    with pytest.raises(kind, match=fault): check_inputs(x, target, params)


def test_relu_slope_at_zero_is_that_of_least_norm():
    "PyTorch's own rule, which `F.relu` keeps in every version; other forms of it need not."
    x, y = (torch.zeros(2, requires_grad=True) for _ in range(2))
    relu(x).sum().backward(), F.relu(y).sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [0, 0]
