# SPDX-License-Identifier: Apache-2.0
"""Training steps of a minimal Llama and GIN-Llama in PyTorch: the peer of bench_training.

    python3 train_torch.py gin560|llama128 [--threads 2] [--steps 12]

Prints the best and median tokens per second of whole steps (forward, backward, clipping, AdamW) and the peak memory.
"As installed": run it as it is. "Tuned": with these in the environment, for OpenBLAS and ATen to use AVX-512 and for
malloc to keep memory instead of faulting it in anew each step:

    OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512
    MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=1073741824

Attention, norms and the network of each head are written from their equations, the softmax weights as a dense array and
the heads in a loop, as the reference computes them.
"""
import argparse
import math
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

CONFIGS = {
    "gin560": dict(hidden=560, heads=8, layers=6, intermediate=512, vocab=300, batch=8, tokens=256, gin=True),
    "llama128": dict(hidden=128, heads=4, layers=4, intermediate=344, vocab=256, batch=16, tokens=128, gin=False),
}


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Head(nn.Module):
    """epsilon x + A x through Linear, RMSNorm, SiLU, Linear."""

    def __init__(self, width, hidden):
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.first, self.norm, self.last = nn.Linear(width, hidden), RMSNorm(hidden), nn.Linear(hidden, width)

    def forward(self, x, adjacency):
        return self.last(F.silu(self.norm(self.first(self.epsilon * x + adjacency @ x))))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.width = c["heads"], c["hidden"] // c["heads"]
        self.gin = c["gin"]
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.q, self.k = linear(c["hidden"], c["hidden"]), linear(c["hidden"], c["hidden"])
        if self.gin:
            self.alpha = nn.Parameter(torch.ones(()))
            self.gins = nn.ModuleList(Head(self.width, self.width // 2) for _ in range(self.heads))
        else:
            self.v, self.o = linear(c["hidden"], c["hidden"]), linear(c["hidden"], c["hidden"])
        self.gate, self.up = linear(c["hidden"], c["intermediate"]), linear(c["hidden"], c["intermediate"])
        self.down = linear(c["intermediate"], c["hidden"])
        self.norm1, self.norm2 = RMSNorm(c["hidden"]), RMSNorm(c["hidden"])

    def split(self, x):
        return x.view(*x.shape[:2], self.heads, self.width).transpose(1, 2)

    def forward(self, x, cos, sin, mask):
        n = self.norm1(x)
        q, k = rotate(self.split(self.q(n)), cos, sin), rotate(self.split(self.k(n)), cos, sin)
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.width) + mask
        if self.gin:
            weights, values = torch.softmax(scores * self.alpha, -1), self.split(n)
            a = torch.cat([g(values[:, h], weights[:, h]) for h, g in enumerate(self.gins)], -1)
        else:
            a = self.o((torch.softmax(scores, -1) @ self.split(self.v(n))).transpose(1, 2).reshape(x.shape))
        h = x + a
        m = self.norm2(h)
        return h + self.down(F.silu(self.gate(m)) * self.up(m))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed = nn.Embedding(c["vocab"], c["hidden"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["layers"]))
        self.norm, self.head = RMSNorm(c["hidden"]), nn.Linear(c["hidden"], c["vocab"], bias=False)
        width = c["hidden"] // c["heads"]
        angles = torch.outer(torch.arange(c["tokens"]).float(), 1e4 ** (-torch.arange(0, width, 2).float() / width))
        self.cos, self.sin = torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()
        self.mask = torch.full((c["tokens"], c["tokens"]), torch.finfo(torch.float32).min).triu(1)

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin, self.mask)
        return self.head(self.norm(x))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("config", choices=CONFIGS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    c = CONFIGS[arguments.config]
    model = Model(c)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
    ids = torch.randint(0, c["vocab"], (c["batch"], c["tokens"]))
    seconds = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        loss = F.cross_entropy(model(ids)[:, :-1].reshape(-1, c["vocab"]), ids[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    per_step = c["batch"] * c["tokens"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"torch {torch.__version__} {arguments.config} threads {arguments.threads}: best {per_step / min(seconds):.0f} "
          f"median {per_step / statistics.median(seconds[2:]):.0f} tokens/s, peak {peak:.0f} MB, "
          f"{sum(p.numel() for p in model.parameters())} parameters, last loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
