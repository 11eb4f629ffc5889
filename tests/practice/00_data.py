"Wrong answers to the tasks of lesson 0 with words that the report must say, and right ones written in another way."
import torch


def of_valid(y_train, y_valid): return (y_valid == y_valid.bincount().argmax()).float().mean()
def of_train(y_train, y_valid): return y_train.bincount().max() / len(y_train)
def a_count(y_train, y_valid): return (y_valid == y_train.mode()[0]).sum().float()
def largest(y_train, y_valid): return (y_valid == y_train.amax()).float().mean()
def not_tensor(y_train, y_valid): return (y_valid == y_train.mode()[0]).float().mean().item()
def wrong_share(y_train, y_valid): return 1 - (y_valid == y_train.mode()[0]).float().mean()


def together(x_train, x_valid):
    both = torch.cat([x_train.flatten(), x_valid.flatten()])
    return (x_train - both.mean()) / both.std(), (x_valid - both.mean()) / both.std()

def each_alone(x_train, x_valid): return tuple((x - x.mean()) / x.std() for x in (x_train, x_valid))
def by_valid(x_train, x_valid): return tuple((x - x_valid.mean()) / x_valid.std() for x in (x_train, x_valid))
def by_variance(x_train, x_valid): return tuple((x - x_train.mean()) / x_train.std()**2 for x in (x_train, x_valid))
def only_shifted(x_train, x_valid): return x_train - x_train.mean(), x_valid - x_train.mean()
def train_only(x_train, x_valid): return (x_train - x_train.mean()) / x_train.std(), x_valid

def in_place(x_train, x_valid):
    mean, std = x_train.mean(), x_train.std()
    return x_train.sub_(mean).div_(std), x_valid.sub_(mean).div_(std)


def places(x, x_train, y_train): return (x[:, None] - x_train).square().sum(-1).argmin(-1)
def farthest(x, x_train, y_train): return y_train[(x[:, None] - x_train).square().sum(-1).max(1).indices]
def along_the_new(x, x_train, y_train): return y_train[torch.cdist(x_train, x).argmin(1)]
def distances(x, x_train, y_train): return torch.cdist(x, x_train).min(1).values
def by_product(x, x_train, y_train): return y_train[torch.einsum('md,nd->mn', x, x_train).argmax(1)]

def looped(x, x_train, y_train):
    return torch.stack([y_train[torch.stack([(row - other).square().sum() for other in x_train]).argmin()] for row in x])


WRONG = {
    '00.1': [(of_valid, 'label of the *validation* set'), (of_train, 'share of the training set'), (a_count, 'Divide by how many'),
             (largest, 'not the most frequent'), (not_tensor, 'tensor'), (wrong_share, 'share that is wrong')],
    '00.2': [(together, 'leak into them'), (each_alone, 'normalised by itself'), (by_valid, 'come from the validation set'),
             (by_variance, 'divided by the variance'), (only_shifted, 'standard deviation is missing'), (train_only, 'validation set is wrong'),
             (in_place, 'changes its argument `x_train`')],
    '00.3': [(places, 'number of the nearest image'), (farthest, '*farthest* away'), (along_the_new, 'wrong dimension'),
             (distances, 'not the labels'), (by_product, 'long vectors win'), (looped, 'it loops, where whole tensors would do')],
}
OTHER = {
    '00.1': lambda y_train, y_valid: y_valid.eq(y_train.bincount().argmax()).sum() / len(y_valid),
    '00.2': lambda x_train, x_valid: tuple((x - x_train.mean()) / (x_train - x_train.mean()).square().sum().div(x_train.numel() - 1).sqrt() for x in (x_train, x_valid)),
    '00.3': lambda x, x_train, y_train: y_train[(x_train.square().sum(1) - 2 * x @ x_train.T).min(1).indices],
}
