"""Writes the goldens of the chat templates: what transformers itself makes of them.

    uv venv V && uv pip install --python V/bin/python -r tests/parity/requirements.txt
    V/bin/python tests/parity/template.py [--check]

Every template of templates/ is rendered over every conversation of template_conversations.json. Without arguments the
goldens in goldens/template/ are written anew; with --check they are compared. A further template can be tried with
--template FILE --out FILE, and a tokenizer with --tokenizer DIR: nothing of those is kept here.
"""

import argparse
import datetime
import json
import pathlib
import sys

import transformers.utils.chat_template_utils as chat
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
GOLDENS = HERE / "goldens" / "template"
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
# Tags are tokens, but not special ones, in the tokenizers of today.
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
NOW = datetime.datetime(2026, 2, 3, 4, 5, 6)


class FrozenDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def small_tokenizer(conversations):
    """A byte-level tokenizer of a few hundred tokens, trained on the texts at hand."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=520, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = [json.dumps(c, ensure_ascii=False) for c in conversations.values()]
    texts += [path.read_text() for path in sorted((HERE / "templates").glob("*.jinja"))]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in TAGS])
    return tokenizer


def cases(name, conversations):
    """Conversation, generation prompt, kwargs."""
    for conversation in conversations:
        yield conversation, False, {}
    for conversation in ("one_question", "with_system", "one_call", "two_thoughts"):
        yield conversation, True, {}
    if name in ("think", "xml"):
        yield "one_question", True, {"enable_thinking": False}
        yield "two_thoughts", False, {"preserve_thinking": True}
    if name == "headers":
        yield "one_question", True, {"date_string": "1 May 2020", "bos_token": "<other>"}


def render(tokenizer, template, data, name, prompt, kwargs, generation):
    conversation = data["conversations"][name]
    tools = data["tools"] if conversation.get("tools") else None
    case = {"conversation": name, "prompt": prompt, "kwargs": kwargs}
    common = dict(tools=tools, chat_template=template, add_generation_prompt=prompt, **kwargs)
    try:
        case["text"] = tokenizer.apply_chat_template(conversation["messages"], tokenize=False, **common)
        out = tokenizer.apply_chat_template(
            conversation["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=generation, **common
        )
    except Exception as error:  # whatever Python refuses with is a refusal
        case["refused"] = f"{type(error).__name__}: {error}"[:160]
        return case
    case["ids"] = list(out["input_ids"])
    if generation:
        case["mask"] = "".join(map(str, out["assistant_masks"]))
    return case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--template", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    chat.datetime = FrozenDate
    data = json.loads((HERE / "template_conversations.json").read_text())
    if arguments.tokenizer:
        tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    else:
        inner = small_tokenizer(data["conversations"])
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")
    templates = [arguments.template] if arguments.template else sorted((HERE / "templates").glob("*.jinja"))
    files = {}
    for path in templates:
        template = path.read_text()
        generation = "generation %}" in template
        rendered = [
            render(tokenizer, template, data, *case, generation) for case in cases(path.stem, data["conversations"])
        ]
        if path.stem not in ("think", "think_generation") and not arguments.tokenizer:
            # Ids of two templates are enough.
            for case in rendered:
                case.pop("ids", None)
        lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in rendered)
        files[path.stem + ".json"] = "[\n" + lines + "\n]\n"
    if arguments.template:
        (arguments.out or pathlib.Path(path.stem + ".json")).write_text(next(iter(files.values())))
        return 0
    files["tokenizer.json"] = json.dumps(json.loads(inner.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n"
    wrong = [name for name, text in files.items() if not arguments.check or read(name) != text]
    if arguments.check:
        print("\n".join(f"{name} differs" for name in wrong) or "the goldens are what transformers gives")
        return 1 if wrong else 0
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (GOLDENS / name).write_text(text)
    return 0


def read(name):
    path = GOLDENS / name
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
