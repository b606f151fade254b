"""TRL itself reads the exports of a dataset version: its trainer prepares the rows, and trains a step on a tiny model.

    uv venv V && uv pip install --python V/bin/python -r tests/parity/trl_requirements.txt
    tw dataset build --name whole --unroll none --train all --tokenizer MODEL
    tw dataset build --name steps --unroll step --train last --tokenizer MODEL
    for each of both: tw dataset export ID --format trl|trl-completion|tokens --out EXPORTS/NAME/FORMAT
    V/bin/python tests/parity/trl_rows.py MODEL EXPORTS

MODEL is a folder with tokenizer.json and a template with generation blocks (templates/think_generation.jinja). What TRL
made of the rows is compared with what the app counts and writes; the report is printed as JSON, and is kept in
goldens/trl_rows.json for the versions that it names.
"""

import json
import pathlib
import sys
import tempfile

import datasets
import torch
import transformers
import trl
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM


def tokenizer_of(model):
    config = json.loads((model / "tokenizer_config.json").read_text())
    plain = lambda value: value["content"] if isinstance(value, dict) else value
    special = {name: plain(config[name]) for name in ("eos_token", "pad_token") if config.get(name)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"), **special)
    tokenizer.chat_template = (model / "chat_template.jinja").read_text()
    return tokenizer


def tiny_model(tokenizer):
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=8192, tie_word_embeddings=True,
    )
    return Qwen3ForCausalLM(config)


def trainer(tokenizer, rows, folder, **settings):
    config = trl.SFTConfig(
        output_dir=folder, max_length=None, use_cpu=True, bf16=False, report_to=[], max_steps=1, logging_steps=1,
        per_device_train_batch_size=len(rows), learning_rate=0.0, save_strategy="no", disable_tqdm=True, **settings,
    )
    return trl.SFTTrainer(model=tiny_model(tokenizer), args=config, train_dataset=rows, processing_class=tokenizer)


def first_loss(made):
    made.train()
    return next(entry["loss"] for entry in made.state.log_history if "loss" in entry)


def load(folder, kind):
    return datasets.load_dataset(kind, data_files=str(next(folder.iterdir())), split="train")


def main():
    model, exports = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    datasets.disable_progress_bars()
    tokenizer = tokenizer_of(model)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    report = {"versions": {"trl": trl.__version__, "transformers": transformers.__version__,
                           "datasets": datasets.__version__, "torch": torch.__version__.split("+")[0]}}
    with tempfile.TemporaryDirectory() as folder:
        # Whole conversations: every answer is trained.
        tokens = load(exports / "whole/tokens", "parquet")
        made = trainer(tokenizer, load(exports / "whole/trl", "json"), folder, assistant_only_loss=True)
        rows = made.train_dataset
        report["messages"] = {
            "rows": len(rows),
            "ids_equal": [row["input_ids"] for row in rows] == [row["input_ids"] for row in tokens],
            "labels_equal": [row["labels"] for row in rows] == [row["labels"] for row in tokens],
        }
        loss = first_loss(made)
        exact = trainer(tokenizer, tokens.select_columns(["input_ids", "labels"]), folder)
        report["tokens"] = {"rows": len(tokens), "same_loss_as_messages": abs(first_loss(exact) - loss) < 1e-4}
        # A row for each answer: the last one is the completion.
        tokens = load(exports / "steps/tokens", "parquet")
        made = trainer(tokenizer, load(exports / "steps/trl-completion", "json"), folder, completion_only_loss=True)
        same_ids, same_labels = True, True
        for theirs, ours in zip(made.train_dataset, tokens, strict=True):
            same_ids &= theirs["input_ids"] == ours["input_ids"]
            # TRL also trains what the template writes behind the end of the turn.
            last = max(place for place, token in enumerate(ours["input_ids"]) if token == end)
            labels = [label if place <= last else -100 for place, label in enumerate(theirs["labels"])]
            same_labels &= labels == ours["labels"]
        report["completion"] = {"rows": len(tokens), "ids_equal": same_ids}
        report["completion"]["labels_equal_to_the_end_of_the_turn"] = same_labels
        report["completion"]["trains"] = first_loss(made) > 0
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
