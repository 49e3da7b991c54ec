# SPDX-License-Identifier: Apache-2.0
"""Tokenizers trained by Hugging Face's package, and what they make of random texts: golden files for weft_tokenizer_parity.

    python3 tokenizers_hf.py OUTPUT --text bible.txt [--count 100000] [--seed 1] [--vocab 6000] [--time]

Writes OUTPUT/NAME/tokenizer.json and OUTPUT/NAME/cases.json for each kind of tokenizer (byte-level as GPT-2 and as Llama 3 have
it, characters with bytes to fall back on as Llama 2 has it, Metaspace, unknown characters). The texts are prose, digits, white
space, emoji with joiners, every plane of Unicode, special tokens, and bytes that were no UTF-8. OUTPUT/trained holds a
vocabulary learnt from its own text.txt, to be learnt again. --time measures the encoding of the whole text instead.
"""
import argparse
import json
import os
import random
import time

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
REFERENCE = ["<|pad|>", "<|eot_id|>", "<|begin_of_text|>", "<|unk|>", "<|mask|>", "<|sequence|>", "<|/sequence|>"]
RANGES = [(0x20, 0x7F)] * 6 + [
    (0x00, 0x20), (0x80, 0xA0), (0xA0, 0x180), (0x300, 0x370), (0x370, 0x400), (0x400, 0x500), (0x5D0, 0x5EB),
    (0x600, 0x700), (0x900, 0x980), (0x180E, 0x180F), (0x2000, 0x2070), (0x3040, 0x3100), (0x4E00, 0xA000),
    (0xAC00, 0xD7A4), (0xE000, 0xE010), (0xFE00, 0xFE10), (0x1D400, 0x1D500), (0x1F300, 0x1FB00), (0x20000, 0x20100),
    (0xE0100, 0xE0110)]
PIECES = [" ", "  ", "   ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "\u3000", "\u180e", "\u0085", "a", "The", "'s", "'LL",
          "'\u017f", "'re", "1", "1234567", "\u00e9", "e\u0301", "\u65e5\u672c", "\u200d", "\u2581", "\u0120", "<0xE2>",
          "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "<|eot_id|>", "<s>", "</s>", "<unk>",
          "<|bos|>", "<tool call>", "...", "!?", "_", "\u0130", "\u212a", "\ufb01", "\u1e9b\u0323", "\u1100\u1161\u11a8", "\u0344"]


def character(rng):
    while True:
        point = rng.randrange(0x110000) if rng.random() < 0.03 else rng.randrange(*rng.choice(RANGES))
        if not 0xD800 <= point < 0xE000:
            return chr(point)


def one_script(rng):
    script = rng.choice(RANGES)
    return "".join(rng.choice([chr(rng.randrange(*script)), " "]) for _ in range(rng.randrange(1, 30)))


def random_text(rng, prose):
    start = rng.randrange(len(prose))
    kinds = [
        lambda: "".join(character(rng) for _ in range(rng.randrange(40))),
        lambda: prose[start:start + rng.randrange(1, 200)],
        lambda: "".join(rng.choice(PIECES) for _ in range(rng.randrange(25))),
        lambda: one_script(rng),
        lambda: rng.choice("ab1 \n.\u00e9\u65e5") * rng.randrange(1, 300),
        lambda: "".join(rng.choice("0123456789.,-+eE ") for _ in range(rng.randrange(1, 40))),
        lambda: bytes(rng.randrange(256) for _ in range(rng.randrange(1, 30))).decode("utf-8", "replace"),
    ]
    return rng.choice(kinds)()


def train(tokenizer, texts, vocab, special=(), **options):
    trainer = trainers.BpeTrainer(vocab_size=vocab, min_frequency=2, show_progress=False, special_tokens=list(special), **options)
    tokenizer.train_from_iterator(texts, trainer)


def template(tokenizer, token):
    return processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token}:1 $B:1",
                                         special_tokens=[(token, tokenizer.token_to_id(token))])


def llama3(texts, vocab):
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, texts, vocab, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens(["<|bos|>", "<|eot_id|>"])
    tokenizer.add_tokens([AddedToken("<tool call>", lstrip=True, rstrip=True, normalized=False), "\u65e5\u672c"])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template(tokenizer, "<|bos|>")])
    return tokenizer


def gpt2(texts, vocab):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    train(tokenizer, texts, vocab, ["<unk>", "<|eot_id|>", "The"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def smollm(texts, vocab):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, texts, vocab, ["<|eot_id|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def digits_in_rows(texts, vocab):
    tokenizer = smollm(texts, vocab)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def normalized(texts, vocab, normalizer, split):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, texts, vocab, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens(["<|bos|>"])
    tokenizer.add_tokens([AddedToken("\u212a\u0301", normalized=True)])
    return tokenizer


def normal_forms(texts, vocab):
    squeezed = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), "_")])
    split = pre_tokenizers.Split
    return {"nfc": normalized(texts, vocab, normalizers.NFC(), split(Regex(LLAMA3), "removed", invert=True)),
            "nfd": normalized(texts, vocab, normalizers.NFD(), split(Regex(r"\p{M}"), "contiguous")),
            "nfkc": normalized(texts, vocab, squeezed, split(" ", "merged_with_previous")),
            "nfkd": normalized(texts, vocab, normalizers.NFKD(), split(" ", "merged_with_next"))}


def llama2(texts, vocab):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    train(tokenizer, texts, vocab, ["<unk>", "<s>", "</s>"] + fallback, limit_alphabet=200)
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = file["added_tokens"][:3]
    file["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = template(tokenizer, "<s>")
    return tokenizer


def metaspace(base, scheme, **model):
    file = json.loads(base.to_str())
    file["model"].update(model)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=scheme != "first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return tokenizer


def make_all(texts, vocab):
    base = llama2(texts, vocab)
    return {"llama3": llama3(texts, vocab), "gpt2": gpt2(texts, vocab), "llama2": base,
            "metaspace_always": metaspace(base, "always"), "metaspace_first": metaspace(base, "first"),
            "metaspace_never": metaspace(base, "never"), "unknown": metaspace(base, "never", byte_fallback=False, fuse_unk=False),
            "unknown_fused": metaspace(base, "always", byte_fallback=False), "smollm": smollm(texts, vocab),
            "digits_in_rows": digits_in_rows(texts, vocab), **normal_forms(texts, vocab)}


def case(tokenizer, text):
    encoding = tokenizer.encode(text)
    bytes_before = [0]
    for each in text:
        bytes_before.append(bytes_before[-1] + len(each.encode()))
    return {"text": text, "ids": encoding.ids, "offsets": [[bytes_before[a], bytes_before[b]] for a, b in encoding.offsets],
            "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
            "without_special": tokenizer.decode(encoding.ids, skip_special_tokens=True)}


def save_trained(folder, texts, vocab):
    os.makedirs(folder, exist_ok=True)
    text = "\n".join(texts)
    with open(f"{folder}/text.txt", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, [text], vocab, REFERENCE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
          continuing_subword_prefix="", end_of_word_suffix="")
    tokenizer.save(f"{folder}/tokenizer.json", pretty=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--text", required=True)
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocab", type=int, default=6000)
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    with open(options.text, encoding="utf-8", newline="") as file:
        prose = file.read()
    rng = random.Random(options.seed)
    texts = [prose[:100 * options.vocab]] + [random_text(rng, prose) for _ in range(options.vocab)]
    for name, tokenizer in make_all(texts, options.vocab).items():
        os.makedirs(f"{options.output}/{name}", exist_ok=True)
        tokenizer.save(f"{options.output}/{name}/tokenizer.json", pretty=False)
        if options.time:
            start = time.perf_counter()
            count = len(tokenizer.encode(prose).ids)
            print(f"{name}: {count} tokens in {time.perf_counter() - start:.2f} s")
            continue
        cases = [case(tokenizer, random_text(rng, prose)) for _ in range(options.count)]
        with open(f"{options.output}/{name}/cases.json", "w", encoding="utf-8") as file:
            json.dump(cases, file, ensure_ascii=False, separators=(",", ":"))
    save_trained(f"{options.output}/trained", texts, options.vocab)


if __name__ == "__main__":
    main()
