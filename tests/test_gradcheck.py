"What `check_grads` says about gradients, right and wrong."
import math

import pytest
import torch

from fastlesson.backprop import forward_backward, relu_grad
from fastlesson.forward import Params, forward, linear, mse, relu
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
    assert str(report).startswith('input 0') and 'right in 30 of 30 entries checked, of 2500' in str(report)   # a function in C tells no names
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


def three(seed=3, dtype=torch.float64): return torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
def text(report): return report.findings[0].text


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
def test_a_large_output_hides_no_mistake(dtype):
    x = three(dtype=dtype)
    assert 'WRONG in 3' in text(check_grads(lambda x: 1e6 + x.sin(), lambda x, g: 2 * g * x.cos(), x))
    assert check_grads(lambda x: 1e6 + x.sin(), lambda x, g: g * x.cos(), x).ok
    assert 'WRONG in 3' in text(check_grads(lambda x: 1e6 + x.sin().sum(), lambda x, g: 0 * x, x))
    x, w, b = torch.rand(2000, 20, dtype=dtype, generator=torch.Generator().manual_seed(0)), torch.ones(20, 5, dtype=dtype), torch.ones(5, dtype=dtype)
    report = check_grads(linear, lambda x, w, b, g: (0 * x, None, None), x, w, b, max_entries=8)
    assert 'WRONG in 8 of 8' in text(report)


def test_what_rounding_hides_is_not_called_right():
    for grad in (lambda x, g: 0 * x, lambda x, g: g * x.cos()):   # right or wrong: nobody can tell
        report = check_grads(lambda x: 1e14 + x.sin().sum(), grad, three())
        assert not report.ok and text(report).startswith("can't be judged: 3 hidden by the rounding of fn")


def test_small_entries_beside_large_ones():
    "A sign that is wrong where the gradient is small is found as long as the type can show it, and not called right after that."
    x = torch.tensor([1e4, -1e4, 1e4, 1, -1, 1], dtype=torch.float32)
    w = torch.ones(6)
    def wrong(x, w, g): return None, torch.cat([x[:3], -x[3:]]) * g
    assert 'WRONG in 3 of 6' in check_grads(lambda x, w: x @ w, wrong, x, w).findings[1].text
    report = check_grads(lambda x, w: x @ w, wrong, torch.cat([x[:3] * 1e3, x[3:]]), w)
    assert 'right in 3 of 6 entries; not judged: 3 too small for torch.float32' in report.findings[1].text


def test_entries_that_were_not_drawn_are_looked_at_together():
    x = torch.randn(50, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    def one_column_off(x, g):
        grad = 2 * x * g
        grad[:, 7] = 0
        return grad
    drawn = check_grads(lambda x: x.square(), lambda x, g: 2 * x * g, x, max_entries=4)
    assert drawn.ok and 'right in 4 of 4 entries checked, of 2500' in text(drawn)
    report = check_grads(lambda x: x.square(), one_column_off, x, max_entries=4, seed=2)
    assert not report.ok and 'right in 4 of 4 entries checked, of 2500, but WRONG in others' in text(report)


def test_nothing_checked_is_not_ok():
    report = check_grads(relu, lambda x, g: None, three())
    assert not report.ok and not report and 'gives no gradient' in str(report)
    with pytest.raises(ValueError, match='max_entries is 0'): check_grads(relu, relu_grad, three(), max_entries=0)
    with pytest.raises(ValueError, match='not 0 everywhere'): check_grads(relu, relu_grad, three(), out_grad=torch.zeros(3))
    assert check_grads(relu, relu_grad, three())   # a report is true if it is ok


def test_flat_places_are_no_kinks():
    zero = torch.zeros(1, dtype=torch.float64)
    for power in (2, 3):
        assert check_grads(lambda x: x**power, lambda x, g: power * x**(power-1) * g, zero).ok
        assert 'WRONG' in text(check_grads(lambda x: x**power, lambda x, g: g, zero))
    report = check_grads(torch.abs, lambda x, g: x.sign() * g, zero)
    assert not report.ok and "can't be judged: 1 on a kink" in text(report)


@pytest.mark.parametrize('answer, look', [(lambda x, g: 1.5, 'is a float, not a tensor'), (lambda x, g: [[1., 2., 3.]], 'is a list, not a tensor')], ids=['float', 'list'])
def test_answers_that_are_no_tensors(answer, look): assert look in text(check_grads(lambda x: x * 2, answer, three()))


def test_a_generator_may_answer():
    assert check_grads(lambda x, y: x * y, lambda x, y, g: (other * g for other in (y, x)), three(), three(4)).ok


def test_results_that_are_no_tensors_are_refused():
    with pytest.raises(TypeError, match='fn returns .*tuple'): check_grads(lambda x: (x, x), relu_grad, three())
    with pytest.raises(TypeError, match='fn returns torch.float32'): check_grads(lambda x: x.float(), relu_grad, three())
    for narrow in torch.Tensor.float, torch.Tensor.half:
        with pytest.raises(TypeError, match='fn computes in float32 inside'): check_grads(lambda x: narrow(x).sin().double(), lambda x, g: g * x.cos(), three())
    with pytest.raises(RuntimeError, match='float32 tensor that is not among its inputs'): check_grads(torch.nn.Linear(3, 2), relu_grad, torch.ones(4, 3))
    with pytest.raises(ValueError, match='not finite'): check_grads(torch.log, lambda x, g: g / x, -three().abs())
    with pytest.raises(ValueError, match='called again'): check_grads(lambda x: x * torch.rand(3, dtype=x.dtype), relu_grad, three())
    for inputs in ((three().to(torch.complex128),), (three().numpy(),), (2., 'x')):
        with pytest.raises(TypeError, match='one must be a tensor of real floats'): check_grads(lambda *a: a[0], lambda *a: a[-1], *inputs)
    report = check_grads(lambda x, k: x * k, lambda x, k, g: (g * k, g), three(), 3)
    assert not report.ok and 'must be None' in report.findings[1].text


def test_functions_that_change_their_inputs():
    assert check_grads(lambda x: x.mul_(2).pow(2), lambda x, g: 8 * x * g, three()).ok
    assert check_grads(torch.nn.ReLU(inplace=True), relu_grad, three()).ok
    assert 'WRONG' in text(check_grads(lambda x: x.mul_(2).pow(2), lambda x, g: 4 * x * g, three()))


def test_autocast_and_global_defaults_change_nothing():
    x, w = (torch.randn(4, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    def grads(x, w, g): return g @ w.T, x.T @ g
    with torch.autocast('cpu', dtype=torch.bfloat16): assert check_grads(torch.matmul, grads, x, w).ok
    dtype = torch.get_default_dtype()
    try:
        torch.set_default_device('meta')
        torch.set_default_dtype(torch.bfloat16)
        report = check_grads(torch.matmul, grads, x, w, max_entries=5)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(dtype)
    assert report.ok, report


def test_a_small_gradient_that_grows_is_noticed():
    buffer = torch.zeros(3, dtype=torch.float64)
    def stale(x, g): return buffer.add_(1e-9 * g)
    assert 'when called again' in str(check_grads(lambda x: 1e-9 * x, stale, three()))


def test_nan_is_wrong_at_a_kink_too():
    report = check_grads(torch.abs, lambda x, g: g * x / x.abs(), torch.tensor([1., 0., -2.], dtype=torch.float64))
    assert 'WRONG in 1 of 3' in text(report) and 'x[1]' in text(report).replace('input[1]', 'x[1]').replace('input 0[1]', 'x[1]')

@pytest.mark.parametrize('factor', [1, 0, -1], ids=['right', 'zeros', 'sign'])
def test_rounding_of_terms_that_cancel_is_not_called_right(factor):
    "What moves is far above the rounding, but its sum, the slope, is not: nobody can tell."
    def fn(x): return torch.stack([1e7 + x.sin(), 1e7 - (1 - 1e-5) * x.sin()])
    report = check_grads(fn, lambda x, g: factor * 1e-5 * x.cos(), three(), out_grad=torch.ones(2, 3, dtype=torch.float64))
    assert not report.ok and text(report).startswith("can't be judged: 3 hidden by the rounding of fn")


def test_entries_of_which_nothing_is_known_are_not_called_right():
    "Those that were drawn are right; all others stand on a kink, so that the slope along a direction says nothing."
    x = torch.cat([torch.zeros(1000), torch.ones(10)]).double()
    def wrong(x, g): return torch.where(x == 0, 7 * g, g)
    seed = next(s for s in range(1000) if (torch.randperm(1010, generator=after_out_grad(s))[:2] >= 1000).any())
    report = check_grads(lambda x: x.abs().sum(), wrong, x, max_entries=2, seed=seed)
    assert not report.ok and text(report).endswith("the others can't be judged")


def after_out_grad(seed):
    draw = torch.Generator().manual_seed(seed)
    torch.randn((), generator=draw)
    return draw


def test_what_is_not_finite_is_wrong_on_a_kink_too():
    x = torch.tensor([1., 0., -2.], dtype=torch.float64)
    for value in math.inf, -math.inf, math.nan:
        report = check_grads(torch.abs, lambda x, g: torch.where(x == 0, value, g * x.sign()), x)
        assert not report.ok and report.findings[0].entry == (1,)


def test_out_grad_may_be_a_number_or_an_array():
    x = three()
    assert check_grads(lambda x: x.sin().sum(), lambda x, g: g * x.cos(), x, out_grad=2.).ok
    assert check_grads(torch.sin, lambda x, g: g * x.cos(), x, out_grad=x.numpy()).ok


def test_whole_numbers_are_not_taken_for_float32():
    "Results that float32 can hold are no sign that it was used: zeros, counts, halves."
    for fn in torch.relu, torch.sign, torch.round, lambda x: (x > 0).double().sum() / 2, lambda x: x * 0 + .5: check_grads(fn, lambda x, g: g * 0, -three().abs())
