"""What transformers' own greedy generation gives for 50 prompts on tiny models, with and without adapters.

    uv venv V && uv pip install --python V/bin/python -r tests/parity/serve_requirements.txt
    V/bin/python tests/parity/serve.py [--check]       goldens/serve/greedy.json

The tiny models are those of train.py: their numbers come from a formula that the Rust tests compute, too.
"""

import argparse
import json
import pathlib
import sys

import torch
from train import CASES, adapted, model_of, numbers

GOLDENS = pathlib.Path(__file__).parent / "goldens" / "serve"
PROMPTS = 10
LENGTHS = [3, 8, 17, 31, 32, 33, 64, 90, 127, 200]


def prompt(case, place):
    """As many tokens as LENGTHS says, spread over the vocabulary."""
    unit = numbers(f"{case} prompt {place}", (LENGTHS[place],), 0.5, 0.5).double()
    return [int(number) for number in (unit * 199).floor()]


def greedy(model, ids, count):
    """The tokens, and the smallest lead of a chosen one: where it is tiny, another order of sums may choose another."""
    with torch.no_grad():
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones((1, len(ids)), dtype=torch.long), max_new_tokens=count,
            min_new_tokens=count, do_sample=False, output_logits=True, return_dict_in_generate=True, pad_token_id=0,
            eos_token_id=None,
        )
    leads = [float(torch.topk(logits[0].double(), 2).values.diff().abs()) for logits in out.logits]
    return out.sequences[0, len(ids):].tolist(), min(leads)


def tiny():
    found = []
    for name, case in CASES.items():
        entry = {"name": name, "config": case["config"], "answers": []}
        model = model_of(case["config"])
        for place in range(PROMPTS):
            tokens, lead = greedy(model, prompt(name, place), 40)
            entry["answers"].append({"prompt": prompt(name, place), "tokens": tokens, "lead": lead})
        if "lora" in case:
            entry["lora"] = case["lora"]
            model = adapted(model, case["lora"])
            for place, answer in enumerate(entry["answers"]):
                answer["adapted"], answer["adapted_lead"] = greedy(model, prompt(name, place), 40)
        found.append(entry)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found = tiny()
    path = GOLDENS / "greedy.json"
    if arguments.check:
        same = [one["answers"] for one in json.loads(path.read_text())] == [one["answers"] for one in found]
        print("the same" if same else "not the same")
        return 0 if same else 1
    GOLDENS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n")
    leads = [answer["lead"] for one in found for answer in one["answers"]]
    print(f"written to {path}; the smallest lead is {min(leads):.2e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
