# SPDX-License-Identifier: Apache-2.0
"""Adapters by Hugging Face's PEFT on a small Llama of tests/goldens/transformers, as folders for the tests.

    python3 lora_peft.py BASE OUTPUT      writes OUTPUT/defaults and OUTPUT/stabilised
    python3 lora_peft.py BASE --check DIR opens a folder that Weft wrote and prints the last token's logits

Each folder is one that `save_pretrained` of a PeftModel wrote, with golden.safetensors beside it: token ids, and the logits of
the model with its adapter.
"""
import argparse
import os

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

CASES = {
    "defaults": dict(),
    "stabilised": dict(r=3, lora_alpha=5, use_rslora=True, lora_dropout=0.1, layers_to_transform=[0, 2],
                       target_modules=["k_proj", "o_proj", "gate_proj", "down_proj"]),
}


def ids_of(model):
    return (torch.arange(24).reshape(2, 12) * 7 + 3) % model.config.vocab_size


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits.contiguous()


def write(base, name, options, folder):
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.name_or_path = os.path.basename(base)
    torch.manual_seed(2)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter_name, parameter in adapted.named_parameters():
            if "lora_B" in parameter_name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    ids = ids_of(model)
    path = os.path.join(folder, name)
    adapted.save_pretrained(path)
    os.remove(os.path.join(path, "README.md"))
    golden = {"ids": ids.to(torch.int32), "logits": logits_of(adapted, ids)}
    save_file(golden, os.path.join(path, "golden.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("output", nargs="?")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    if arguments.check:
        model = LlamaForCausalLM.from_pretrained(arguments.base, dtype=torch.float32)
        ids = ids_of(model)
        adapted = PeftModel.from_pretrained(model, arguments.check).eval()
        print(logits_of(adapted, ids)[:, -1, :8])
    else:
        for name, options in CASES.items():
            write(arguments.base, name, options, arguments.output)


main()
