"""Axolotl's own `chat_template` strategy reads the exports of a dataset version.

    uv venv V && uv pip install --python V/bin/python torch==2.13.0 axolotl==0.19.0
    V/bin/python tests/parity/axolotl_rows.py MODEL EXPORTS

MODEL and EXPORTS are those of trl_rows.py, with the `axolotl` exports beside the others. Each row is tokenised by Axolotl
as its docs say for rows with `train` and `train_detail`, and compared with the `tokens` export; the report is printed as
JSON, and is kept in goldens/axolotl_rows.json.
"""

import json
import pathlib
import sys

from axolotl.prompt_strategies.chat_template import load
from axolotl.utils.dict import DictDefault
from transformers import PreTrainedTokenizerFast

import datasets


def main():
    model, exports = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    datasets.disable_progress_bars()
    config = json.loads((model / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"), eos_token=config["eos_token"])
    tokenizer.chat_template = (model / "chat_template.jinja").read_text()
    settings = DictDefault({"sequence_len": 8192, "train_on_inputs": False})
    rows_as = {
        "type": "chat_template",
        "chat_template": "tokenizer_default",
        "field_messages": "messages",
        "field_tools": "tools",
        "message_field_training": "train",
        "message_field_training_detail": "train_detail",
        "roles_to_train": [],
        "train_on_eos": "turn",
    }
    strategy = load(tokenizer, settings, rows_as)
    report = {}
    for name in ("whole", "steps"):
        tokens = datasets.load_dataset(
            "parquet", data_files=str(next((exports / name / "tokens").iterdir())), split="train"
        )
        with open(next((exports / name / "axolotl").iterdir()), encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        same_ids, same_labels, differs = 0, 0, []
        for row, ours in zip(rows, tokens, strict=True):
            theirs = strategy.tokenize_prompt(row)
            same_ids += theirs["input_ids"] == ours["input_ids"]
            equal = theirs["labels"] == ours["labels"]
            same_labels += equal
            if not equal and len(differs) < 3:
                pairs = zip(theirs["labels"], ours["labels"])
                place = next((place for place, (a, b) in enumerate(pairs) if a != b), None)
                around = ours["input_ids"][max(0, (place or 0) - 6) : (place or 0) + 6]
                differs.append({"at": place, "around": tokenizer.decode(around)})
        report[name] = {"rows": len(rows), "ids_equal": same_ids, "labels_equal": same_labels, "first": differs}
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
