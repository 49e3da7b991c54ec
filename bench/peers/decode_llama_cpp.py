# SPDX-License-Identifier: Apache-2.0
"""llama.cpp, by its Python package, on the model of bench_generation: SmolLM-135M's shape, random weights.

    pip install llama-cpp-python gguf
    python3 decode_llama_cpp.py [--threads 2] [--folder /tmp]

Prints, for F32 and for BF16 weights, tokens a second of reading a prompt of 16, 128 and 512 tokens, and of 64 single tokens behind
one of 1 and of 512; each is the best of several runs within two seconds. The file has no vocabulary, and keys and values are F32
as there.
"""
import argparse
import ctypes
import os
import time

import gguf
import llama_cpp
import numpy

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT = 576, 1536, 30, 9, 3, 49152, 2048
STEPS = 64


def write_model(path, dtype):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCAB)
    writer.add_tokenizer_model("no_vocab")
    rng = numpy.random.default_rng(1)

    def matrix(name, rows, columns):
        values = rng.standard_normal((rows, columns), dtype=numpy.float32) * 0.02
        kind = gguf.GGMLQuantizationType[dtype]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def ones(name):
        writer.add_tensor(name, numpy.ones(HIDDEN, dtype=numpy.float32))

    matrix("token_embd.weight", VOCAB, HIDDEN)  # and the head
    ones("output_norm.weight")
    width = HIDDEN // HEADS * KV_HEADS
    for layer in range(LAYERS):
        ones(f"blk.{layer}.attn_norm.weight")
        ones(f"blk.{layer}.ffn_norm.weight")
        for name, rows, columns in (("attn_q", HIDDEN, HIDDEN), ("attn_k", width, HIDDEN), ("attn_v", width, HIDDEN),
                                    ("attn_output", HIDDEN, HIDDEN), ("ffn_gate", INNER, HIDDEN), ("ffn_up", INNER, HIDDEN),
                                    ("ffn_down", HIDDEN, INNER)):
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    def __init__(self, path, threads):
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch = CONTEXT, 512, 512
        context.n_threads = context.n_threads_batch = threads
        context.type_k = context.type_v = llama_cpp.GGML_TYPE_F32
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.memory = llama_cpp.llama_get_memory(self.context)

    def truncate(self, length):
        llama_cpp.llama_memory_seq_rm(self.memory, 0, length, -1)

    def read(self, tokens):
        ids = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(ids, len(tokens))) != 0:
            raise RuntimeError("llama_decode failed")
        return llama_cpp.llama_get_logits_ith(self.context, -1)[0]


def best_seconds(body):
    best, begin, runs = float("inf"), time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - begin < 2:
        start = time.perf_counter()
        body()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return best


def measure(model, dtype):
    for count in (16, 128, 512):
        text = range(1000, 1000 + count)

        def prompt():
            model.truncate(0)
            model.read(text)

        print(f"prompt/{dtype}/{count}: {count / best_seconds(prompt):.1f} tokens/s", flush=True)
    for count in (1, 512):
        model.truncate(0)
        model.read(range(1000, 1000 + count))

        def decode():
            model.truncate(count - 1)
            for step in range(STEPS):
                model.read([1000 + step])

        print(f"decode/{dtype}/{count}: {STEPS / best_seconds(decode):.1f} tokens/s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", default="/tmp")
    options = parser.parse_args()
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    for dtype in ("F32", "BF16"):
        path = os.path.join(options.folder, f"smollm_{dtype}.gguf")
        write_model(path, dtype)
        measure(Model(path, options.threads), dtype)
        os.remove(path)


if __name__ == "__main__":
    main()
