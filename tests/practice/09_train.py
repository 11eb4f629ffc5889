"Wrong answers to the tasks of lesson 9 with words that the report must say, and right ones written in another way."
import torch
from torch.nn import functional as F


def naive(logits): return torch.log(logits.exp() / logits.exp().sum(1, keepdim=True))
def by_columns(logits): return F.log_softmax(logits, 0)
def no_log(logits): return F.softmax(logits, -1)
def not_kept(logits):
    s = logits - logits.max(1, keepdim=True).values
    return s - s.exp().sum(1).log()
def shift_lost(logits):
    s = logits - logits.max(1, keepdim=True).values
    return logits - s.exp().sum(1, keepdim=True).log()


def count(logits, target): return int((logits.max(1).indices == target).sum())
def errors(logits, target): return 1 - (logits.argmax(1) == target).double().mean().item()
def confidence(logits, target): return logits.softmax(1)[torch.arange(len(target)), target].mean().item()
def crossed(logits, target): return (logits.argmax(1)[:, None] == target).float().mean().item()
def a_tensor(logits, target): return (logits.argmax(1) == target).double()


def one_class(logits, q):
    p = logits.softmax(1)
    p[torch.arange(len(p)), q.argmax(1)] -= 1
    return p / len(p)
def no_n(logits, q): return logits.softmax(1) - q
def minus(logits, q): return (q - logits.softmax(1)) / len(logits)
def only_q(logits, q): return -q / logits.shape[0]
def of_log(logits, q): return (logits.softmax(0) - q) / len(q)


class OfProbabilities:
    def __call__(self, logits, target):
        self.off = logits.softmax(1) - F.one_hot(target, logits.shape[1])
        return (self.off**2).sum() / len(target)
    def backward(self): return 2 * self.off / len(self.off)

class Diagonal(OfProbabilities):
    def __call__(self, logits, target):
        self.p = logits.softmax(1)
        return super().__call__(logits, target)
    def backward(self): return super().backward() * (self.p - self.p**2)

class LikeCrossEntropy(OfProbabilities):
    def backward(self): return self.off / len(self.off)

class Mean(Diagonal):
    def __call__(self, logits, target): return super().__call__(logits, target) / logits.shape[1]
    def backward(self):
        r = 2 * self.off / len(self.off)
        return self.p * r - self.p * (self.p * r).sum(1, keepdim=True)

class WithoutTwo(Mean):
    def __call__(self, logits, target): return super().__call__(logits, target) * logits.shape[1]
    def backward(self): return super().backward() / 2


def rebinds(p, v, grad, lr, mu):
    v = mu * v + grad
    p -= lr * v
def plain(p, v, grad, lr, mu): p.sub_(grad, alpha=lr)
def averages(p, v, grad, lr, mu):
    v.lerp_(grad, 1 - mu)
    p.sub_(lr * v)
def late(p, v, grad, lr, mu):
    p -= lr * v
    v *= mu
    v += grad
def up(p, v, grad, lr, mu): p.add_(v.mul_(mu).add_(grad), alpha=lr)
def rate_inside(p, v, grad, lr, mu): p.sub_(v.mul_(mu).add_(grad, alpha=lr))


def all_of_them(grads, params, decay): return [g.add(p, alpha=decay) for g, p in zip(grads, params)]
def doubled(grads, params, decay): return [g + 2 * decay * p if p.dim() == 2 else g for g, p in zip(grads, params)]
def lasso(grads, params, decay): return [g + decay * torch.sign(p) if p.dim() == 2 else g for g, p in zip(grads, params)]
def in_place(grads, params, decay):
    for g, p in zip(grads, params):
        if p.ndim == 2: g.add_(p, alpha=decay)
    return grads
def weights_only(grads, params, decay): return [g + decay * p for g, p in zip(grads, params) if p.ndim == 2]


def in_order(n, size, generator): return [torch.arange(i, min(i + size, n)) for i in range(0, n, size)]
def replaced(n, size, generator): return torch.randint(0, n, (n,), generator=generator).split(size)
def full_only(n, size, generator): return torch.randperm(n, generator=generator)[:n // size * size].reshape(-1, size)
def in_parts(n, size, generator): return torch.randperm(n, generator=generator).chunk(size)
def own_order(n, size, generator): return torch.randperm(n).split(size)
def same_again(n, size, generator): return torch.randperm(n, generator=torch.Generator().manual_seed(7)).split(size)


WRONG = {
    '09.1': [(naive, 'overflow'), (by_columns, 'runs over the images'), (no_log, 'without the logarithm'), (not_kept, 'keep its dimension: `keepdim=True`'), (shift_lost, 'missing in the other term')],
    '09.2': [(count, 'divide by the number of rows'), (errors, 'share of wrong ones'), (confidence, 'mean probability'), (crossed, 'each row with all targets'), (a_tensor, '09.2')],
    '09.3': [(one_class, 'most probable class'), (no_n, 'too large by the factor `len(logits)`'), (minus, 'sign is wrong'), (only_q, 'normaliser is missing'), (of_log, 'wrong axis')],
    '09.4': [(OfProbabilities, 'go through the softmax'), (Diagonal, 'Only the diagonal'), (LikeCrossEntropy, 'gradient of cross-entropy'), (Mean, 'mean over rows and classes'),
             (WithoutTwo, 'too small by the factor 2')],
    '09.5': [(rebinds, "the caller's stays as it was"), (plain, 'is wrong in'), (averages, 'running mean'), (late, 'before the velocity'), (up, 'uphill'), (rate_inside, 'inside the velocity')],
    '09.6': [(all_of_them, 'biases are decayed'), (doubled, 'takes away the 2'), (lasso, 'penalty |W|'), (in_place, 'changes its argument `w1_grad`'), (weights_only, '2 results instead of 3')],
    '09.7': [(in_order, 'Nothing is shuffled'), (replaced, 'with replacement'), (full_only, 'is missing'), (in_parts, 'batches of `size`'), (own_order, "isn't drawn with `generator`"),
             (same_again, 'Every epoch has the same order')],
}

class InOneGo:
    def __call__(self, logits, target):
        loss = lambda z: F.mse_loss(z.softmax(1), F.one_hot(target, z.shape[1]).to(z), reduction='sum') / len(z)
        self.gradient, value = torch.func.grad_and_value(loss)(logits)
        return value
    def backward(self): return self.gradient

def other_step(p, v, grad, lr, mu):
    v *= mu
    v += grad
    p -= lr * v

OTHER = {
    '09.1': lambda logits: logits - logits.logsumexp(1, keepdim=True),
    '09.2': lambda logits, target: (logits.max(1).indices == target).double().mean().item(),
    '09.3': lambda logits, q: (torch.exp(logits.log_softmax(1)) - q).div(q.shape[0]),
    '09.4': InOneGo,
    '09.5': other_step,
    '09.6': lambda grads, params, decay: [g + (p.ndim == 2) * decay * p for g, p in zip(grads, params)],
    '09.7': lambda n, size, generator: [order[i:i + size] for order in [torch.rand(n, generator=generator).argsort()] for i in range(0, n, size)],
}
