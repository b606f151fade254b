"""The peer of `cargo xtask bench template`: transformers over the same rows.

Usage: bench_template.py ROWS MODEL TEMPLATE ROUNDS. The last line of stdout is one JSON object.
"""

import hashlib
import json
import pathlib
import sys
import time

import transformers
from transformers import PreTrainedTokenizerFast


def main():
    rows_file, model, template_file, rounds = sys.argv[1:5]
    template = pathlib.Path(template_file).read_text()
    config = json.loads((pathlib.Path(model) / "tokenizer_config.json").read_text())
    text = lambda value: value["content"] if isinstance(value, dict) else value
    special = {name: text(config[name]) for name in ("bos_token", "eos_token", "pad_token") if config.get(name)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(pathlib.Path(model) / "tokenizer.json"), **special)
    with open(rows_file) as lines:
        rows = [json.loads(line) for line in lines]

    def make(row):
        return tokenizer.apply_chat_template(
            row["messages"],
            tools=row["tools"],
            chat_template=template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )

    make(rows[0])  # the template is compiled once
    secs = []
    for _ in range(int(rounds)):
        begun = time.perf_counter()
        made = [make(row) for row in rows]
        secs.append(time.perf_counter() - begun)
    digests = [
        hashlib.sha256(
            "".join(f"{token}:{mask}," for token, mask in zip(row["input_ids"], row["assistant_masks"])).encode()
        ).hexdigest()
        for row in made
    ]
    tokens = sum(len(row["input_ids"]) for row in made)
    print(json.dumps({"secs": secs, "tokens": tokens, "digests": digests, "version": transformers.__version__}))


if __name__ == "__main__":
    main()
