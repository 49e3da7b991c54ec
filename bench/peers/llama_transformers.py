# SPDX-License-Identifier: Apache-2.0
"""Plain Llamas by Hugging Face's transformers, with random weights, as folders of golden files for weft_parity.

    python3 llama_transformers.py OUTPUT [--full] [--seed 1]

Each folder is one that `save_pretrained` there wrote (sharded for one, bfloat16 for another, the older form of config.json for
some), with golden.safetensors beside it: logits of sixteen tokens at positions from 0, 1,000, 8,000 and 60,000 on, and tokens of
greedy decoding. --full takes the shapes of SmolLM-135M, TinyLlama and a two-layer Llama-3.2 instead of small ones; then only
the last token's logits are kept.
"""
import argparse
import json
import os

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

STARTS = [0, 1000, 8000, 60000]
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
SMALL = {
    "smollm": dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
                   vocab_size=97, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 100000.0}),
    "tinyllama": dict(hidden_size=64, intermediate_size=80, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=1,
                      vocab_size=101, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "llama32": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                    head_dim=32, vocab_size=103, tie_word_embeddings=True, max_position_embeddings=131072, rope_parameters=LLAMA3),
    "linear": dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=61,
                   rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    "dynamic": dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=61,
                    max_position_embeddings=2048,
                    rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}),
    "biases": dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                   head_dim=12, vocab_size=61, attention_bias=True, mlp_bias=True, hidden_act="gelu", rms_norm_eps=1e-5),
}
FULL = {
    "smollm_135m": dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                        num_key_value_heads=3, vocab_size=49152, tie_word_embeddings=True, rms_norm_eps=1e-5,
                        rope_parameters={"rope_type": "default", "rope_theta": 100000.0}),
    "tinyllama_1b": dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32,
                         num_key_value_heads=4, vocab_size=32000, rms_norm_eps=1e-5),
    "llama32_two_layers": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=2, num_attention_heads=32,
                               num_key_value_heads=8, head_dim=64, vocab_size=128256, tie_word_embeddings=True,
                               max_position_embeddings=131072, rms_norm_eps=1e-5, rope_parameters=LLAMA3),
}


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean = 1.0 if "norm" in name else 0.0
            deviation = 0.2 if parameter.dim() == 1 else 1.0 / parameter.shape[-1] ** 0.5
            parameter.copy_(mean + deviation * torch.randn(parameter.shape, generator=generator))


def logits_of(model, ids, start, kept):
    positions = torch.arange(start, start + ids.shape[1]).expand(ids.shape)
    with torch.no_grad():
        return model(input_ids=ids, position_ids=positions).logits[:, -kept:].contiguous()


def as_older_file(path):
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = None if rope["type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def write_case(folder, name, options, generator, kept):
    config = LlamaConfig(**options)
    model = LlamaForCausalLM(config)
    randomize(model, generator)
    if name == "llama32":
        model = model.to(torch.bfloat16)
    os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder, max_shard_size="60KB" if name == "tinyllama" else "20GB")
    if name in ("smollm", "linear"):
        as_older_file(f"{folder}/config.json")
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(3, config.vocab_size, (2, 16), generator=generator)
    tensors, tolerances = {"in.input_ids": ids}, {}
    for start in STARTS:
        tensors[f"out.logits.{start}"] = logits_of(model, ids, start, kept)
    prompt = ids[:1, :5].clone()
    model.generation_config.eos_token_id = None
    greedy = model.generate(prompt, max_new_tokens=16, do_sample=False, pad_token_id=0)
    tensors["in.prompt_ids"], tensors["out.greedy_tokens"] = prompt, greedy[0, 5:].clone()
    model = model.double()
    for start in STARTS:
        values = tensors[f"out.logits.{start}"]
        difference = (logits_of(model, ids, start, kept) - values).abs().max().item()
        tolerances[f"out.logits.{start}"] = [min(difference, 1e-4), values.abs().max().item()]
    metadata = {"class": "transformers.LlamaForCausalLM", "case": name, "set": "transformers", "tol": json.dumps(tolerances)}
    save_file(tensors, f"{folder}/golden.safetensors", metadata)
    print(name, {key: f"{value[0]:.1e} of {value[1]:.1f}" for key, value in tolerances.items()})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for number, (name, options) in enumerate((FULL if arguments.full else SMALL).items()):
        generator = torch.Generator().manual_seed(arguments.seed + number)
        write_case(f"{arguments.output}/{name}", name, options, generator, 1 if arguments.full else 16)


if __name__ == "__main__":
    main()
