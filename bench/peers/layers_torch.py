# SPDX-License-Identifier: Apache-2.0
"""Graph-aware layers in PyTorch, computed as the reference computes them: the peer of bench_layers.

    python3 layers_torch.py gin|pna|pna_lm|multi_hop [--batch 8] [--tokens 256] [--hidden 560] [--heads 8] [--threads 2]
    python3 layers_torch.py gin --check ../../tests/goldens/layers/gin_default.safetensors

Heads run in a loop, weights are dense arrays, PNA's maximum and minimum are taken over [batch, tokens, tokens, head_dim],
multi-hop forms A^2 and A^3; what the reference computes twice and throws away is left out. multi_hop includes the query and
key projections and the weights that it is fed. Prints the best and median milliseconds of forward and of forward and
backward, and the memory that the first step needs beside layer and input. `--check` compares results and gradients with a
golden file instead. For the tuned setting put the variables in the environment that train_torch.py names.
"""
import argparse
import json
import math
import statistics
import struct
import time

import torch
from torch import nn
from torch.nn import functional as F


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Weights(nn.Module):
    """q and k projections, and softmax(q k^T / sqrt(d) + mask), [batch, heads, tokens, tokens]."""

    def __init__(self, c):
        super().__init__()
        self.heads, self.width = c.heads, c.hidden // c.heads
        self.q_proj, self.k_proj = (nn.Linear(c.hidden, c.hidden, bias=False) for _ in range(2))

    def split(self, x):
        return x.view(*x.shape[:2], self.heads, self.width).transpose(1, 2)

    def weights(self, x, cos, sin):
        q = rotate(self.split(self.q_proj(x)), cos, sin)
        k = rotate(self.split(self.k_proj(x)), cos, sin)
        mask = torch.full((x.shape[1], x.shape[1]), torch.finfo(x.dtype).min).triu(1)
        return F.softmax(q @ k.transpose(2, 3) / math.sqrt(self.width) + mask, -1)


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class GINLayer(nn.Module):
    def __init__(self, width, inner, eps):
        super().__init__()
        self.epsilon, self.normlayer = nn.Parameter(torch.zeros(())), RMSNorm(inner, eps)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.Identity(), self.normlayer, nn.SiLU(), nn.Linear(inner, width))

    def forward(self, x, a):
        return self.mlp(self.epsilon * x + a @ x)


class GINAttention(Weights):
    def __init__(self, c):
        super().__init__(c)
        inner = int(self.width * c.multiplier)
        self.gin_layers = nn.ModuleList([GINLayer(self.width, inner, c.eps) for _ in range(c.heads)])

    def forward(self, x, cos, sin):
        a, slices = self.weights(x, cos, sin), self.split(x)
        return torch.cat([layer(slices[:, h], a[:, h]) for h, layer in enumerate(self.gin_layers)], -1)


class PNAttention(Weights):
    """Sum, mean, maximum and variance over the neighbours of each head, through a network of the head."""

    def __init__(self, c):
        super().__init__(c)
        self.v_proj, self.o_proj = (nn.Linear(c.hidden, c.hidden, bias=False) for _ in range(2))
        inner = int(self.width * c.multiplier)
        network = lambda: nn.Sequential(nn.Linear(4 * self.width, inner, bias=False), nn.SiLU(),
                                        nn.Linear(inner, self.width, bias=False))
        self.aggregator_mlps = nn.ModuleList([network() for _ in range(c.heads)])

    def moments(self, a, x):
        degree = a.sum(-1, keepdim=True)
        degree = torch.where(degree == 0, torch.ones_like(degree), degree)
        total = a @ x
        mean = total / degree
        return total, mean, torch.clamp(a @ x.pow(2) / degree - mean.pow(2), min=0)

    def aggregate(self, a, x):
        total, mean, variance = self.moments(a, x)
        rows = x.unsqueeze(2).expand(-1, -1, x.shape[1], -1).clone()
        rows[a <= 0] = float("-inf")
        largest = rows.max(2).values
        rows = x.unsqueeze(2).expand(-1, -1, x.shape[1], -1).clone()
        rows[a <= 0] = float("inf")
        rows.min(2)
        return torch.cat([total, mean, largest, variance], -1)

    def forward(self, x, cos, sin):
        a, values = self.weights(x, cos, sin), self.split(self.v_proj(x))
        heads = enumerate(self.aggregator_mlps)
        return self.o_proj(torch.cat([mlp(self.aggregate(a[:, h], values[:, h])) for h, mlp in heads], -1))


class PNALMAttention(PNAttention):
    """Mean, variance, and the neighbours of largest and smallest norm."""

    def aggregate(self, a, x):
        _, mean, variance = self.moments(a, x)
        norms = x.norm(dim=-1).unsqueeze(1).expand_as(a)
        valid = a > 0.2
        largest = norms.masked_fill(~valid, float("-inf")).argmax(-1)
        smallest = norms.masked_fill(~valid, float("inf")).argmin(-1)
        pick = lambda index: x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        return torch.cat([mean, pick(largest), variance, pick(smallest)], -1)


class MultiHop(Weights):
    """gate * (u + a1 A u + a2 A^2 u + a3 A^3 u) for each head, fed with attention weights."""

    def __init__(self, c):
        super().__init__(c)
        linears = lambda i, o: nn.ModuleList([nn.Linear(i, o, bias=False) for _ in range(c.heads)])
        numbers = lambda value: nn.ParameterList([nn.Parameter(torch.tensor(value)) for _ in range(c.heads)])
        self.head_gate_projs, self.head_up_projs = (linears(self.width, c.intermediate) for _ in range(2))
        self.head_down_projs = linears(c.intermediate, self.width)
        self.epsilons, self.alphas_1 = numbers(0.0), numbers(1.0)
        self.alphas_2, self.alphas_3 = numbers(0.5), numbers(0.1)

    def block(self, x, a):
        slices, out = self.split(x), []
        for h in range(self.heads):
            u = self.head_up_projs[h](slices[:, h])
            hop1 = a[:, h]
            hop2 = hop1 @ hop1
            hop3 = hop2 @ hop1
            z = (1 + self.epsilons[h]) * u + self.alphas_1[h] * (hop1 @ u)
            z = z + self.alphas_2[h] * (hop2 @ u) + self.alphas_3[h] * (hop3 @ u)
            out.append(self.head_down_projs[h](F.silu(self.head_gate_projs[h](slices[:, h])) * z))
        return torch.cat(out, -1)

    def forward(self, x, cos, sin):
        return self.block(x, self.weights(x, cos, sin))


LAYERS = {"gin": (GINAttention, 0.5), "pna": (PNAttention, 2), "pna_lm": (PNALMAttention, 2), "multi_hop": (MultiHop, 0)}


def read_golden(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    config = json.loads(header.pop("__metadata__")["config"])
    tensors = {}
    for name, entry in header.items():
        kind = torch.float32 if entry["dtype"] == "F32" else torch.int64
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=kind).reshape(entry["shape"])
    return config, tensors


def check(make, path):
    """The largest differences of results and gradients from those of the reference."""
    config, golden = read_golden(path)
    gnn = config["gnn_config"]
    layer = make(argparse.Namespace(
        hidden=config["hidden_size"], heads=config["num_attention_heads"], eps=config["rms_norm_eps"],
        intermediate=config["intermediate_size"], multiplier=gnn["attention_GIN_MLP_multiplier"]))
    own = {name: golden[f"param.{name}"] for name in layer.state_dict() if f"param.{name}" in golden}
    layer.load_state_dict(own, strict=False)
    if "in.adjacency" in golden:
        x, name, run = golden["in.x"], "x", lambda x: layer.block(x, golden["in.adjacency"])
    else:
        cos, sin = golden["in.cos"].unsqueeze(1), golden["in.sin"].unsqueeze(1)
        x, name, run = golden["in.hidden_states"], "hidden_states", lambda x: layer(x, cos, sin)
    y = run(x.requires_grad_())
    (y * golden["loss.weight"]).sum().backward()
    difference = {"output": (y - golden["out.output"]).abs().max().item()}
    difference[name] = (x.grad - golden[f"grad_in.{name}"]).abs().max().item()
    for parameter, value in layer.named_parameters():
        if f"grad_param.{parameter}" in golden:
            difference[parameter] = (value.grad - golden[f"grad_param.{parameter}"]).abs().max().item()
    print(f"{len(difference)} tensors, largest difference {max(difference.values()):.1e}")


def milliseconds(body, steps):
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        body()
        times.append(1e3 * (time.perf_counter() - start))
    return f"best {min(times):.1f} ms, median {statistics.median(times):.1f} ms"


def memory(key):
    """A line of the process's status in MB: VmRSS is memory in use, VmHWM the most so far."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(key))


def measure(c, layer):
    tables = [torch.randn(1, 1, c.tokens, c.hidden // c.heads) for _ in range(2)]
    x = torch.randn(c.batch, c.tokens, c.hidden, requires_grad=True)
    seed = torch.randn(c.batch, c.tokens, c.hidden)

    def forward():
        with torch.no_grad():
            layer(x, *tables)

    def both():
        layer.zero_grad(set_to_none=False)
        x.grad = None
        layer(x, *tables).backward(seed)

    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = memory("VmRSS:")
    both()
    needed = memory("VmHWM:") - before
    forward()
    print(f"torch {torch.__version__}, {c.layer}, {c.threads} threads, memory of a step {needed:.0f} MB")
    print("forward:            " + milliseconds(forward, c.steps))
    print("forward + backward: " + milliseconds(both, c.steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layer", choices=LAYERS)
    for name, value in [("batch", 8), ("tokens", 256), ("hidden", 560), ("heads", 8), ("intermediate", 512),
                        ("threads", 2), ("steps", 8)]:
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--check", metavar="GOLDEN")
    c = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(c.threads)
    make, c.multiplier = LAYERS[c.layer]
    c.eps = 1e-5
    check(make, c.check) if c.check else measure(c, make(c))


if __name__ == "__main__":
    main()
