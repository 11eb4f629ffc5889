"Wrong answers to the tasks of lesson 8 with words that the report must say, and right ones written in another way."
import torch

from fastlesson.autograd import Var, no_grad


def averaged(grad, shape):
    n = grad.numel() / max(1, torch.Size(shape).numel())
    return grad.sum_to_size(shape) / n

def front_only(grad, shape):
    while grad.ndim > len(shape): grad = grad.sum(0)
    return grad

def not_kept(grad, shape):
    for _ in range(grad.ndim - len(shape)): grad = grad.sum(0)
    for dim in reversed(range(len(shape))):
        if shape[dim] == 1: grad = grad.sum(dim)
    return grad

def first_use(grad, shape):
    for _ in range(grad.ndim - len(shape)): grad = grad[0]
    for dim, size in enumerate(shape):
        if size == 1: grad = grad[(slice(None),) * dim + (slice(0, 1),)]
    return grad


def forward_order(result, made_from):
    done = []
    def visit(v):
        for x in made_from[v]: visit(x)
        if v not in done: done.append(v)
    visit(result)
    return done

def breadth_first(result, made_from):
    order = [result]
    for v in order: order += [x for x in dict.fromkeys(made_from[v]) if x not in order]
    return order

def with_repeats(result, made_from):
    order = []
    def walk(v):
        order.append(v)
        for x in made_from[v]: walk(x)
    walk(result)
    return order

def inputs_only(result, made_from): return [v for v in forward_order(result, made_from)[::-1] if v != result]

def by_counting(result, made_from):
    users, reached = {}, {result}
    for v in (todo := [result]):
        for x in made_from[v]:
            users[x] = users.get(x, 0) + 1
            if x not in reached: todo.append(x)
            reached.add(x)
    ready, order = [result], []
    while ready:
        order.append(ready.pop())
        for x in made_from[order[-1]]:
            users[x] -= 1
            if not users[x]: ready.append(x)
    return order


def late(xs, weights):
    made = [(x, lambda g: c * g) for x, c in zip(xs, weights)]
    return Var(sum(x.value * c for x, c in zip(xs, weights)), made)

def unweighted(xs, weights): return Var(sum(c * x.value for x, c in zip(xs, weights)), [(x, lambda g: g) for x in xs])
def by_value(xs, weights): return Var(sum(c * x.value for x, c in zip(xs, weights)), [(x, lambda g, x=x: g * x.value) for x in xs])
def one_input(xs, weights): return Var(sum(c * x.value for x, c in zip(xs, weights)), [(xs[0], lambda g: weights[0] * g)])


def squared_input(x): return Var(torch.tanh(x.value), [(x, lambda g: g - g * x.value**2)])
def sigmoid_like(x):
    y = torch.tanh(x.value)
    return Var(y, [(x, lambda g: g * (y - y * y))])
def no_upstream(x):
    y = torch.tanh(x.value)
    return Var(y, [(x, lambda g: (1 - y) * (1 + y))])
def from_parts(x): return 1 - 2 / ((2 * x).exp() + 1)
def a_leaf(x): return Var(torch.tanh(x.value))
def a_tensor(x): return torch.tanh(x.value)


def left(x): return Var(torch.cumsum(x.value, 1), [(x, lambda g: torch.cumsum(g, 1))])
def unflipped(x): return Var(torch.cumsum(x.value, 1), [(x, lambda g: g.flip(-1).cumsum(-1))])
def exclusive(x): return Var(x.value.cumsum(1), [(x, lambda g: g.flip(1).cumsum(1).flip(1) - g)])
def columns(x): return Var(x.value.cumsum(0), [(x, lambda g: g.flip(0).cumsum(0).flip(0))])


def leaf_round(x): return Var(torch.round(x.value))
def unrounded(x): return x + x.value - x.value
def same_tape(x): return (x + x.value.round()) - x
def truncated(x): return x + (x.value.trunc() - x.value)


def constant_mean(x):
    c = x - x.value.mean(1, keepdim=True)
    return c / ((c * c).mean(1, True) + 1e-5)**.5
def constant_std(x): return (x - x.mean(1, True)) / (x.value.var(1, correction=0, keepdim=True) + 1e-5)**.5
def no_root(x):
    c = x - x.mean(1, True)
    return c / ((c**2).mean(1, True) + 1e-5)
def norm_not_kept(x):
    c = x - x.mean(1)
    return c / ((c**2).mean(1, True) + 1e-5)**.5
def norm_sum_constant(x): return (x - x.mean(1, True)) / ((x.value - x.value.mean(1, keepdim=True)).square().sum(1, keepdim=True) + 1e-5)**.5
def whole(x):
    c = x - x.mean()
    return c / ((c**2).mean() + 1e-5)**.5
def over_rows(x):
    c = x - x.mean(0)
    return c / ((c**2).mean(0) + 1e-5)**.5


def recorded(fn, x): return fn(x + 0)
def forgetful(fn, x):
    with no_grad(): return fn(x)
def ones_first(fn, x):
    def vjp(g):
        again = Var(x.value)
        fn(again).sum().backward()
        return again.grad
    return Var(fn(x).value, [(x, vjp)])
def onto_itself(fn, x):
    def vjp(g):
        fn(x).backward(g)
        return x.grad
    return Var(fn(x).value, [(x, vjp)])
def times_again(fn, x):
    def vjp(g):
        again = Var(x.value)
        fn(again).backward(g)
        return again.grad * g
    return Var(fn(x).value, [(x, vjp)])

def multiplied_later(fn, x):
    with no_grad(): y = fn(x).value
    def back(g):
        leaf = Var(x.value)
        (fn(leaf) * g).sum().backward()
        return leaf.grad
    return Var(y, [(x, back)])


WRONG = {
    '08.1': [(averaged, 'not a mean'), (front_only, 'dimensions of size 1 are not summed'), (not_kept, 'has to stay'), (first_use, 'one of the repetitions')],
    '08.2': [(forward_order, 'order of the forward pass'), (breadth_first, 'first found first'), (with_repeats, 'a turn for each path'), (inputs_only, 'result itself is missing')],
    '08.3': [(late, 'still share one `c`'), (unweighted, 'weights are missing'), (by_value, 'is the weight, not the value'), (one_input, 'is zero everywhere')],
    '08.4': [(squared_input, 'not `1 - x**2`'), (sigmoid_like, 'slope of a sigmoid'), (no_upstream, 'upstream gradient is missing'), (from_parts, 'composed of other operations'),
             (a_leaf, 'Nothing is recorded'), (a_tensor, "no attribute 'made_from'")],
    '08.5': [(left, 'should come from the right'), (unflipped, 'reverse order'), (exclusive, 'its own running sum'), (columns, 'run over the rows')],
    '08.6': [(leaf_round, 'nothing gets back to `x`'), (unrounded, 'Nothing is rounded'), (same_tape, 'nothing gets back to `x`'), (truncated, 'not towards 0')],
    '08.7': [(constant_mean, 'The mean is taken for a constant'), (constant_std, 'standard deviation is taken for a constant'), (no_root, 'root is missing'),
             (norm_not_kept, 'keep its dimension: `keepdim=True`'), (norm_sum_constant, 'no gradient goes through it. The variance is a mean of squares'), (whole, 'is wrong in'), (over_rows, 'runs over the rows')],
    '08.8': [(recorded, 'What is on the tape'), (forgetful, 'Nothing gets back'), (ones_first, 'upstream gradient is missing'), (times_again, 'counts twice'),
             (onto_itself, 'reaches `x` twice')],
}
OTHER = {
    '08.1': lambda grad, shape: grad.sum_to_size(shape),
    '08.2': by_counting,
    '08.3': lambda xs, weights: Var(sum(c * x.value for x, c in zip(xs, weights)), [(x, (lambda c: lambda g: g * c)(c)) for x, c in zip(xs, weights)]),
    '08.4': lambda x: Var(torch.tanh(x.value), [(x, lambda g: g / torch.cosh(x.value)**2)]),
    '08.5': lambda x: Var(x.value.cumsum(1), [(x, lambda g: g.sum(1, keepdim=True) - g.cumsum(1) + g)]),
    '08.6': lambda x: Var(x.value.round(), [(x, lambda g: g)]),
    '08.7': lambda x: (x - x.mean(1, True)) * ((x * x).mean(1, True) - x.mean(1, True)**2 + 1e-5)**-.5,
    '08.8': multiplied_later,
}
