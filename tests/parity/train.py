"""What transformers and peft make of tiny models: logits, losses, gradients, twenty steps.

    uv venv V && uv pip install --python V/bin/python -r tests/parity/train_requirements.txt
    V/bin/python tests/parity/train.py [--check]            goldens/train/*.json, and an adapter that peft saved
    V/bin/python tests/parity/train.py --exchange FOLDER    checks what `cargo run -p tw-train --example exchange FOLDER`
                                                            wrote: our adapter in peft, our merged model in transformers

The models' numbers come from a formula over the tensor's name and the place in it, which the Rust tests compute too
(tests/support/checkpoint.rs): the goldens hold results only.
"""

import argparse
import json
import math
import pathlib
import sys

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, get_scheduler

GOLDENS = pathlib.Path(__file__).parent / "goldens" / "train"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
STEPS = 20

BASE = {
    "vocab_size": 199, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "max_position_embeddings": 512, "hidden_act": "silu",
}
CASES = {
    "qwen3": {
        "config": BASE | {"model_type": "qwen3", "head_dim": 32, "tie_word_embeddings": True, "rope_theta": 1000000.0},
        "lora": {"r": 4, "alpha": 8, "rslora": False, "targets": ALL},
        "training": {"lr": 5e-3, "weight_decay": 0.0, "clip": 0.0, "schedule": "constant", "warmup": 0},
    },
    "qwen2": {
        "config": BASE | {"model_type": "qwen2", "tie_word_embeddings": False, "rope_theta": 10000.0},
        "lora": {"r": 4, "alpha": 6, "rslora": True, "targets": ALL},
        "training": {"lr": 1e-2, "weight_decay": 0.05, "clip": 0.5, "schedule": "cosine", "warmup": 4},
    },
    "llama": {
        "config": BASE | {
            "model_type": "llama", "tie_word_embeddings": True, "rope_theta": 500000.0, "rms_norm_eps": 1e-5,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 32},
        },
        "lora": {"r": 3, "alpha": 3, "rslora": False, "targets": ["q_proj", "v_proj", "down_proj"]},
        "training": {"lr": 1e-2, "weight_decay": 0.01, "clip": 1.0, "schedule": "linear", "warmup": 2},
    },
    "qwen3-yarn": {
        "config": BASE | {
            "model_type": "qwen3", "head_dim": 16, "tie_word_embeddings": True, "rope_theta": 10000.0,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
        },
    },
    "llama-linear": {
        "config": BASE | {
            "model_type": "llama", "tie_word_embeddings": False, "rope_theta": 10000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 3.0},
        },
    },
}


def numbers(name, shape, scale, offset=0.0):
    """Splitmix64 over a hash (FNV-1a) of the name plus the place: the top 24 bits, spread over [-scale, scale)."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        x = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    unit = (x >> np.uint64(40)).astype(np.float64) / 2**24
    return torch.from_numpy(((unit * 2 - 1) * scale + offset).astype(np.float32).reshape(shape))


def weight(name, shape):
    if name.endswith("norm.weight"):
        return numbers(name, shape, 0.2, 1.0)
    if name.endswith("bias"):
        return numbers(name, shape, 0.3)
    if name == "model.embed_tokens.weight":
        return numbers(name, shape, 0.3)
    return numbers(name, shape, 1.7 / math.sqrt(shape[1]))


def adapter_weight(name, shape):
    """`name` is layers.N.<module>.lora_A or lora_B."""
    return numbers(name, shape, 1.0 / math.sqrt(shape[1]) if name.endswith("lora_A") else 0.1)


def model_of(config):
    config = dict(config)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(config.pop("model_type"), **config), dtype=torch.float32)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.copy_(weight(name, tuple(tensor.shape)))
    return model.eval()


def plain(name):
    """base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight -> layers.0.self_attn.q_proj.lora_A"""
    return name.removeprefix("base_model.model.model.").removesuffix(".weight").removesuffix(".default")


def adapted(model, lora):
    model = get_peft_model(model, LoraConfig(
        r=lora["r"], lora_alpha=lora["alpha"], use_rslora=lora["rslora"], target_modules=lora["targets"],
        lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
    ))
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.requires_grad:
                tensor.copy_(adapter_weight(plain(name), tuple(tensor.shape)))
    return model


def rows():
    """Three rows: the second goes on from the first, the third leaves it after 17 tokens."""
    tokens = [int(t) for t in (numbers("rows", (90,), 0.5, 0.5).double() * 199).floor()]
    first = tokens[:40]
    weights = [0.0] * 9 + [1.0] * 6 + [0.0] * 5 + [1.0] * 20
    second = first + tokens[40:61]
    third = first[:17] + tokens[61:90]
    return [
        {"tokens": first, "weights": weights},
        {"tokens": second, "weights": [0.0] * 45 + [1.0] * 16},
        {"tokens": third, "weights": [0.0] * 20 + [0.5] * 4 + [1.0] * 22},
    ]


def loss_of(model, batch):
    """The weighted mean over all supervised tokens of all rows, row by row as plain causal language models."""
    total = sum(sum(row["weights"][1:]) for row in batch)
    loss = 0.0
    for row in batch:
        ids = torch.tensor([row["tokens"]])
        logits = model(input_ids=ids).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        loss = loss + (losses * torch.tensor(row["weights"][1:])).sum()
    return loss / total


def sampled_logits(model, batch):
    found = []
    with torch.no_grad():
        for index, row in enumerate(batch):
            logits = model(input_ids=torch.tensor([row["tokens"]])).logits[0]
            for position in (0, 16, len(row["tokens"]) - 1):
                found.append({"row": index, "position": position, "values": logits[position, ::13].tolist()})
    return found


def golden(case):
    batch = rows()
    model = model_of(case["config"])
    result = {"config": case["config"], "rows": batch, "logits": sampled_logits(model, batch)}
    if "lora" not in case:
        return result
    model = adapted(model, case["lora"])
    result |= {"lora": case["lora"], "training": case["training"], "adapted_logits": sampled_logits(model, batch)}
    loss = loss_of(model, batch)
    loss.backward()
    result["loss"] = loss.item()
    trained = {plain(n): p for n, p in model.named_parameters() if p.requires_grad}
    result["gradients"] = {
        name: {"norm": p.grad.double().norm().item(), "samples": p.grad.flatten()[:: max(1, p.numel() // 5)][:5].tolist()}
        for name, p in trained.items()
    }
    settings = case["training"]
    optimizer = torch.optim.AdamW(trained.values(), lr=settings["lr"], weight_decay=settings["weight_decay"])
    schedule = get_scheduler(settings["schedule"], optimizer, settings["warmup"], STEPS)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        losses.append(loss.item())
        loss.backward()
        if settings["clip"]:
            torch.nn.utils.clip_grad_norm_(trained.values(), settings["clip"])
        optimizer.step()
        schedule.step()
    result["losses"] = losses
    return result


def exchange(folder):
    """Our adapter in peft, our merged model in transformers, against our logits."""
    ours = json.loads((folder / "logits.json").read_text())
    ids = torch.tensor([ours["tokens"]])
    wanted = torch.tensor(ours["logits"])
    base = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    with torch.no_grad():
        plain_logits = base(input_ids=ids).logits[0]
        peft_logits = PeftModel.from_pretrained(base, folder / "adapter").eval()(input_ids=ids).logits[0]
        worst = (peft_logits - wanted).abs().max().item()
        print(f"our adapter in peft: largest difference {worst:.2e}; without it {(plain_logits - wanted).abs().max():.2e}")
        good = worst < 1e-4
        for name, limit in (("merged-f32", 1e-4), ("merged-bf16", 0.1)):
            merged = AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32)
            worst = (merged(input_ids=ids).logits[0] - wanted).abs().max().item()
            print(f"our {name} in transformers: largest difference {worst:.2e}")
            good = good and worst < limit
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--exchange", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if arguments.exchange:
        return 0 if exchange(arguments.exchange) else 1
    GOLDENS.mkdir(parents=True, exist_ok=True)
    worst = 0.0
    for name, case in CASES.items():
        found = golden(case)
        path = GOLDENS / f"{name}.json"
        if arguments.check:
            kept = json.loads(path.read_text())
            pairs = zip(kept.get("losses", []), found.get("losses", []), strict=True)
            worst = max([worst] + [abs(a - b) for a, b in pairs])
        else:
            path.write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n")
    if not arguments.check:
        # An adapter as peft itself writes it, for the reader's test.
        case = CASES["llama"]
        adapted(model_of(case["config"]), case["lora"]).save_pretrained(GOLDENS / "peft-adapter")
        (GOLDENS / "peft-adapter" / "README.md").unlink(missing_ok=True)
    print(f"largest difference of the losses: {worst:.2e}" if arguments.check else f"written to {GOLDENS}")
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
