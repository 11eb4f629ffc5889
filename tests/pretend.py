"""A device that isn't there, so that a machine without a GPU finds what would fail on one: as far as Python can tell, tensors on
`cpu:0` lie on another device than those on `cpu`. They don't meet, become no arrays, and have no float64, as on Apple's GPUs."""
from contextlib import contextmanager
from io import BytesIO
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

THERE = torch.device('cpu:0')
_marks = {}   # weak references to the memory that lies there, which give back the numbers and keep the handle from being given out again


def _memory(t):
    try: return t.untyped_storage()
    except RuntimeError: return None   # what torch.func computes with has none
def _handle(t): return getattr(_memory(t), '_cdata', None)
def _tensors(x):
    if isinstance(x, Tensor): return [x]
    return [t for part in x for t in _tensors(part)] if isinstance(x, (tuple, list)) else []
def there(t): return _handle(t) in _marks
def _put(t, on):
    if on and (memory := _memory(t)) is not None: _marks[memory._cdata] = StorageWeakRef(memory)
    else: _marks.pop(_handle(t), None)
    return t


class _Operations(TorchDispatchMode):
    "Operations give tensors where their operands are, or where they are told."
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        given, device = _tensors([*args, *kwargs.values()]), kwargs.get('device')
        old = [_handle(t) for t in given]
        of_all = [handle in _marks for handle in old if handle]
        of_arrays = [handle in _marks for handle, t in zip(old, given) if handle and t.ndim]   # a scalar may come from anywhere
        places = of_arrays or of_all
        if name.startswith('index') and of_all[:1] == [True]: places = [True]   # as may the numbers of its rows
        if name not in ('copy_', '_to_copy') and len({*places}) > 1:
            raise RuntimeError(f'{name} gets tensors on two devices: {[(tuple(t.shape), there(t)) for t in given]}')
        if device == THERE and kwargs.get('generator'): raise RuntimeError(f"{name}: the device needs a generator of its own")
        out = func(*args, **kwargs)
        for t in _tensors(out):
            if _handle(t) not in old and name != 'set_': _put(t, device == THERE if device else any(places))
            if t.dtype in (torch.float64, torch.complex128) and there(t): raise TypeError(f'{name} makes {t.dtype} on the device')
        return out


class _Methods(TorchFunctionMode):
    "What Python asks a tensor without an operation: where it is, to come or go, to be an array."
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, '__name__', '')
        x = args[0] if args and isinstance(args[0], Tensor) else None
        if x is not None and there(x):
            if func == Tensor.device.__get__: return THERE
            if name in ('numpy', '__array__'): raise TypeError('a tensor on the device becomes no array')
        to = [a for a in (*args[1:], *kwargs.values()) if isinstance(a, (str, torch.device, Tensor))] if name == 'to' else ['cpu'] if name == 'cpu' else []
        out = func(*args, **kwargs)
        for at in to:   # copied, since a CPU's `to` gives what it has got
            on = there(at) if isinstance(at, Tensor) else torch.device(at) == THERE
            if there(out) != on: out = _put(out.clone() if _handle(out) == _handle(x) else out, on)
        if name in ('tensor', 'as_tensor', 'from_numpy', 'frombuffer'): _put(out, kwargs.get('device') == THERE)
        return out


@contextmanager
def pretended():
    "While this lasts `cpu:0` is another device."
    def put(memory, _):   # what was saved comes back to where it was
        _marks[memory._cdata] = StorageWeakRef(memory)
        return memory
    def load(file, map_location=None, _load=torch.load, **options):
        sent = isinstance(file, BytesIO) and options == {'weights_only': False}   # by another process
        return _load(file, map_location=put if map_location in (None, THERE) and not sent else map_location, **options)
    with patch('torch.load', load), _Methods(), _Operations(): yield
