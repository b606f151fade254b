"""The peers of `cargo xtask bench train`: TRL and PEFT over the same rows, from the same adapter, step for step.

    bench_train.py prepare qwen3-tiny FOLDER            a Qwen3 with the full vocabulary and few, narrow layers
    bench_train.py prepare smollm2 FOLDER WHEEL         SmolLM2-135M-Instruct (see smollm.py)
                                                        both with FOLDER/adapter, from which every training begins
    bench_train.py train FOLDER ROWS --steps N --threads N [--no-recompute]

Rows are those of the app's worker: {"id", "tokens", "spans": [{"start", "end", "weight"}]}. A step is one pass through all
rows, so that both sides change the adapter after the same tokens: rows go one by one (on a CPU there is nothing to be
gained by padding them into batches) and their gradients are summed. The last line of stdout is one JSON object.
"""

import argparse
import json
import pathlib
import resource
import sys
import tempfile
import time

LEARNING_RATE = 2e-4
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
QWEN3_TINY = {
    "vocab_size": 151936, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": True,
    "max_position_embeddings": 40960, "rope_theta": 1000000.0,
}


def prepare(kind, folder, wheel):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM

    if (folder / "adapter" / "adapter_model.safetensors").is_file():
        return
    torch.manual_seed(0)
    if kind == "smollm2":
        import smollm

        sys.argv = ["smollm.py", str(wheel), str(folder)]
        smollm.main()
    elif not (folder / "model.safetensors").is_file():
        Qwen3ForCausalLM(Qwen3Config(**QWEN3_TINY)).to(torch.bfloat16).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=32, target_modules=TARGETS, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM")
    get_peft_model(model, config).save_pretrained(folder / "adapter")


def examples(rows):
    with open(rows, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            labels = [-100] * len(row["tokens"])
            for span in row["spans"]:
                assert span["weight"] == 1.0, "a label cannot say a weight"
                labels[span["start"]:span["end"]] = row["tokens"][span["start"]:span["end"]]
            yield {"input_ids": row["tokens"], "labels": labels}


def train(folder, rows, steps, recompute):
    import torch
    import transformers
    import trl
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

    transformers.logging.set_verbosity_error()
    dataset = Dataset.from_list(list(examples(rows)))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True)
    ends, losses = [], []

    class Watch(TrainerCallback):
        def on_step_end(self, *_, **__):
            ends.append(time.perf_counter())

    class Trainer(trl.SFTTrainer):
        """Keeps the loss in full; the log rounds it."""

        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            while len(losses) <= len(ends):
                losses.append(0.0)
            losses[len(ends)] += loss.item()
            return loss

    with tempfile.TemporaryDirectory() as scratch:
        settings = trl.SFTConfig(
            output_dir=scratch, per_device_train_batch_size=1, gradient_accumulation_steps=len(dataset),
            num_train_epochs=steps, learning_rate=LEARNING_RATE, lr_scheduler_type="constant", max_grad_norm=1.0,
            weight_decay=0.0, gradient_checkpointing=recompute, max_length=None, bf16=False, use_cpu=True,
            save_strategy="no", report_to=[], logging_steps=1, disable_tqdm=True, dataloader_pin_memory=False,
        )
        # Only the texts of rows would need it, and they are tokens already.
        tokenizer = AutoTokenizer.from_pretrained(folder) if (folder / "tokenizer.json").is_file() else plain_tokenizer()
        trainer = Trainer(model=model, args=settings, train_dataset=dataset, processing_class=tokenizer, callbacks=[Watch()])
        begun = time.perf_counter()
        trainer.train()
    times = [end - start for start, end in zip([begun] + ends, ends)]
    return {
        "step_secs": times, "losses": losses, "recompute": recompute,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, trl {trl.__version__}",
    }


def plain_tokenizer():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(WordLevel({"<unk>": 0, "<pad>": 1}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", pad_token="<pad>", eos_token="<pad>")


def limit_memory():
    """A training that does not fit fails by itself instead of taking the machine with it."""
    with open("/proc/meminfo", encoding="ascii") as file:
        available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    limit = available * 1024 * 9 // 10
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare")
    preparing.add_argument("kind", choices=["smollm2", "qwen3-tiny"])
    preparing.add_argument("folder", type=pathlib.Path)
    preparing.add_argument("wheel", type=pathlib.Path, nargs="?")
    training = commands.add_parser("train")
    training.add_argument("folder", type=pathlib.Path)
    training.add_argument("rows", type=pathlib.Path)
    training.add_argument("--steps", type=int, required=True)
    training.add_argument("--threads", type=int, required=True)
    training.add_argument("--no-recompute", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        return prepare(arguments.kind, arguments.folder, arguments.wheel)
    import torch

    torch.set_num_threads(arguments.threads)
    limit_memory()
    try:
        print(json.dumps(train(arguments.folder, arguments.rows, arguments.steps, not arguments.no_recompute)))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        print(json.dumps({"out_of_memory": str(error)[:200]}))


if __name__ == "__main__":
    main()
