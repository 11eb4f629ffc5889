"Lesson 11's module where Triton or a GPU is missing."
import os
import subprocess
import sys


def run(tmp_path, code, **env):
    "What a process prints and says, with some modules of `tmp_path` before all others."
    return subprocess.run([sys.executable, '-c', code], env={k: v for k, v in os.environ.items() if k != 'TRITON_INTERPRET'} | {'PYTHONPATH': str(tmp_path), 'CUDA_VISIBLE_DEVICES': ''} | env,
                          capture_output=True, text=True, timeout=120)


def test_needs_no_numba_and_no_triton_to_be_read(tmp_path):
    for name in 'numba', 'triton': (tmp_path/f'{name}.py').write_text('raise ImportError')
    out = run(tmp_path, 'import torch; from fastlesson.gpu import *; print(callable(matmul_triton)); matmul_triton(torch.ones(2, 3), torch.ones(3, 2))')
    assert out.stdout == 'True\n' and 'ImportError: this function needs Triton: pip install triton' in out.stderr
    out = run(tmp_path, 'import torch; from fastlesson.gpu import *; fused_forward_backward_triton(torch.ones(2, 3), torch.ones(2), None)')
    assert 'needs Triton' in out.stderr


STUB = "def jit(kernel): return kernel\ndef cdiv(a, b): return -(-a // b)\n"

def test_needs_a_gpu_to_be_run(tmp_path):
    (tmp_path/'triton').mkdir()
    (tmp_path/'triton'/'__init__.py').write_text(STUB)
    (tmp_path/'triton'/'language.py').write_text('constexpr = None\n')
    for call in 'matmul_triton(x, x.T)', 'fused_forward_backward_triton(x, x[:, 0], None)':
        out = run(tmp_path, f'import torch; from fastlesson.gpu import *; x = torch.ones(2, 3); {call}')
        assert 'is on cpu: Triton needs a GPU, or TRITON_INTERPRET=1' in out.stderr
