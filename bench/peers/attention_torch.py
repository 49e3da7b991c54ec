# SPDX-License-Identifier: Apache-2.0
"""Causal attention in PyTorch, with explicit softmax weights and by its fused function: the peer of bench_attention.

    python3 attention_torch.py [--threads 2] [--seconds 2]

Prints the best milliseconds of forward, and of forward and backward, for each size of bench_attention (batch, tokens, heads,
head_dim), from rows of all heads side by side to such rows. For the tuned setting put the variables in the environment that
train_torch.py names.
"""
import argparse
import math
import time

import torch
from torch.nn import functional as F

SIZES = [(16, 128, 8, 64), (4, 512, 8, 64), (1, 2048, 8, 64), (8, 256, 8, 70), (16, 128, 4, 32)]


def explicit(q, k, v, mask):
    return F.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) + mask, -1) @ v


def fused(q, k, v, _):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Problem:
    def __init__(self, batch, tokens, heads, width):
        self.shape = (batch, tokens, heads, width)
        self.rows = [torch.randn(batch, tokens, heads * width, requires_grad=True) for _ in range(3)]
        self.gradient = torch.randn(batch, tokens, heads * width)
        self.mask = torch.full((tokens, tokens), torch.finfo(torch.float32).min).triu(1)

    def run(self, attention):
        heads = [rows.view(self.shape).transpose(1, 2) for rows in self.rows]
        return attention(*heads, self.mask).transpose(1, 2).reshape(self.gradient.shape)

    def forward(self, attention):
        with torch.no_grad():
            self.run(attention)

    def forward_backward(self, attention):
        for rows in self.rows:
            rows.grad = None
        self.run(attention).backward(self.gradient)


def best_of(run, seconds):
    best, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    kinds = {"explicit": explicit}
    if hasattr(F, "scaled_dot_product_attention"):
        kinds["fused"] = fused
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads; best milliseconds")
    for size in SIZES:
        problem = Problem(*size)
        for name, attention in kinds.items():
            forward = best_of(lambda: problem.forward(attention), arguments.seconds)
            both = best_of(lambda: problem.forward_backward(attention), arguments.seconds)
            print(f"{size} {name:8s} forward {forward:7.2f}  forward and backward {both:7.2f}", flush=True)


if __name__ == "__main__":
    main()
