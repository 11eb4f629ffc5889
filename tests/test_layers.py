"Layers give the gradients that autograd gives."
import pytest
import torch

from fastlesson.forward import forward, mse
from fastlesson.layers import MSE, Layer, Linear, Model, ReLU
from two_layers import assert_near, autograd, problem


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


def deep(*sizes, seed=0):
    "Linear layers with a ReLU between each two, MSE at the end; x, target and the model."
    g, layers = torch.Generator().manual_seed(seed), []
    def randn(*shape): return torch.randn(*shape, generator=g, dtype=torch.float64)
    for n, m in zip(sizes, sizes[1:]): layers += [Linear(randn(n, m) / n**.5, randn(m), input_grad=bool(layers)), ReLU()]
    return randn(11, sizes[0]), randn(11), Model(layers[:-1], MSE())


def by_autograd(model, x, target):
    leaves = [p.detach().clone().requires_grad_() for p in model.params]
    for i in range(0, len(leaves), 2):
        x = x @ leaves[i] + leaves[i + 1]
        if i + 2 < len(leaves): x = x.clamp_min(0)
    return torch.autograd.grad(mse(x, target), leaves)


@pytest.mark.parametrize('sizes', [(5, 1), (5, 4, 1), (5, 4, 3, 1), (5, 4, 6, 3, 2, 1)], ids=str)
def test_any_depth(sizes):
    x, target, model = deep(*sizes)
    model(x, target)
    model.backward()
    assert len(model.grads) == len(model.params) == 2 * (len(sizes) - 1)
    for a, b in zip(model.grads, by_autograd(model, x, target)): assert_near(a, b, 1e-13)


def test_predict_leaves_the_pending_backward_alone():
    x, target, model = deep(5, 4, 3, 1)
    loss = model(x, target)
    output = model.predict(torch.ones(2, 5, dtype=torch.float64))
    model.backward()
    for a, b in zip(model.grads, by_autograd(model, x, target)): assert_near(a, b, 1e-13)
    assert output.shape == (2, 1)
    torch.testing.assert_close(mse(model.predict(x), target), loss, rtol=0, atol=0)


def test_adding_up_changes_nothing_handed_out_before():
    x, target, model = deep(5, 4, 1)
    model(x, target)
    model.backward()
    held, kept = model.grads, [g.clone() for g in model.grads]
    model.backward(accumulate=True)
    for a, b, c in zip(held, kept, model.grads):
        assert torch.equal(a, b)
        torch.testing.assert_close(c, 2 * b, rtol=1e-15, atol=0)
    model.backward()
    for a, b in zip(model.grads, kept): assert torch.equal(a, b)   # replaced, not added


def test_the_first_call_may_accumulate():
    x, target, model = deep(5, 4, 1)
    model(x, target)
    model.backward(accumulate=True)
    for a, b in zip(model.grads, by_autograd(model, x, target)): assert_near(a, b, 1e-13)


def test_a_layer_that_stands_twice_is_refused():
    x, target, model = deep(5, 5, 5, 1)
    first, relu, second, _, third = model.layers
    with pytest.raises(ValueError, match=r'layers\[3\] appears earlier in the list'): Model([first, relu, second, relu, third], MSE())
    Model([first, relu, Linear(*second.params), ReLU(), Linear(*second.params), ReLU(), third], MSE())   # parameters may


def test_one_weight_in_two_layers_is_stepped_by_the_sum():
    from fastlesson.train import SGD
    x, target, model = deep(5, 5, 5, 1)
    first, relu, second, _, third = model.layers
    model = Model([first, relu, second, ReLU(), Linear(*second.params), ReLU(), third], MSE())
    leaves = [p.clone().requires_grad_() for p in model.params]
    w1, b1, w2, b2, _, _, w3, b3 = leaves
    h = (x @ w1 + b1).clamp_min(0)
    for _ in range(2): h = (h @ w2 + b2).clamp_min(0)
    grads = torch.autograd.grad(mse(h @ w3 + b3, target), [w1, b1, w2, b2, w3, b3])
    right = [p.detach() - .1 * g for p, g in zip([w1, b1, w2, b2, w3, b3], grads)]
    model(x, target)
    model.backward()
    SGD(model.params, .1).step(model.grads)
    p = model.params
    for a, b in zip(p[:4] + p[6:], right): assert_near(a, b, 1e-12)


def test_what_is_out_of_order_is_said():
    x, target, model = deep(5, 4, 3, 1)
    for thing, name in ((model, 'MSE has no output'), (MSE(), 'MSE has no output')):
        with pytest.raises(AttributeError, match=f'{name}.*call the MSE first'): thing.backward()
    for layer in (ReLU(), Linear(*model.params[:2])):
        with pytest.raises(AttributeError, match='has no x: .*call the .* first'): layer.backward(x)
    with pytest.raises(ValueError, match=r'layers\[2\] has input_grad=False: only the first'):
        Model([Linear(*model.params[:2]), ReLU(), Linear(*model.params[2:4], input_grad=False)], MSE())
    with pytest.raises(NotImplementedError, match='Layer has no forward'): Layer()(x)
    with pytest.raises(NotImplementedError, match='Layer has no backward'): Layer().backward(x)
