"""What transformers' own greedy generation gives for 50 prompts on tiny models, with and without adapters.

    uv venv V && uv pip install --python V/bin/python -r tests/parity/serve_requirements.txt
    V/bin/python tests/parity/serve.py [--check]       goldens/serve/greedy.json
    V/bin/python tests/parity/serve.py --agent         goldens/serve/agent: a tiny Qwen3 that has learnt one short run of
                                                       the agent by heart, so that a test can drive the whole loop with it

The tiny models are those of train.py: their numbers come from a formula that the Rust tests compute, too.
"""

import argparse
import json
import pathlib
import sys

import torch
from train import CASES, adapted, model_of, numbers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

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


TOOLS = [
    {"type": "function", "function": {
        "name": name, "description": description,
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    }}
    for name, description in (("echo", "Says it again"), ("search", "Finds nothing"))
]
CALL = {"type": "function", "function": {"name": "echo", "arguments": {"text": "hi"}}}
RUN = [
    {"role": "user", "content": "Say hi"},
    {"role": "assistant", "content": "", "reasoning_content": "I say it.", "tool_calls": [CALL]},
    {"role": "tool", "name": "echo", "content": "hi"},
    {"role": "assistant", "content": "It said hi.", "reasoning_content": "Done."},
]


def agent():
    """Trains until both answers of the run come greedily, in 16 bits, and keeps the model with its tokenizer."""
    folder = GOLDENS / "agent"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(GOLDENS.parent / "template" / "tokenizer.json"), eos_token="<|im_end|>"
    )
    template = (pathlib.Path(__file__).parent / "templates" / "think.jinja").read_text()

    def render(messages, **more):
        return tokenizer.apply_chat_template(messages, tools=TOOLS, chat_template=template, tokenize=False, **more)

    rows = []
    for end in (2, 4):
        # What stands between reasoning and call comes back as the answer's text.
        history = [m | {"content": "\n\n"} if m.get("tool_calls") and end == 4 else m for m in RUN]
        before = render(history[: end - 1], add_generation_prompt=True)
        whole = render(history[:end]).removesuffix("\n")
        assert whole.startswith(before)
        ids = [tokenizer.encode(text, add_special_tokens=False) for text in (before, whole.removeprefix(before))]
        rows.append((ids[0], ids[1]))
    config = AutoConfig.for_model(
        "qwen3", vocab_size=544, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-6, tie_word_embeddings=True, max_position_embeddings=2048,
        rope_theta=1e6, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    for step in range(600):
        loss = 0.0
        for prompt_ids, answer_ids in rows:
            ids = torch.tensor([prompt_ids + answer_ids])
            logits = model(input_ids=ids).logits[0, len(prompt_ids) - 1 : -1]
            loss = loss + torch.nn.functional.cross_entropy(logits, ids[0, len(prompt_ids):])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 2e-3:
            break
    model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    model = model.float().eval()
    for prompt_ids, answer_ids in rows:
        found, lead = greedy(model, prompt_ids, len(answer_ids))
        assert found == answer_ids, tokenizer.decode(found)
        print(f"{step} steps, lead {lead:.2f}: {tokenizer.decode(found)!r}")
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": tokenizer.eos_token_id, "temperature": 0.0}) + "\n"
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--agent", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if arguments.agent:
        agent()
        return 0
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
