"""The official clients against the Hub double, and against what the app pushed to it.

    python hub_client.py round-trip            pushes and reads with huggingface_hub and datasets
    python hub_client.py rows REPO CONFIG      what `datasets` reads of a repository, as JSON on stdout

HF_ENDPOINT, HF_TOKEN and HF_HOME (a folder of its own) come from the environment.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import datasets
import huggingface_hub
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

ROWS = [
    {
        "id": f"row-{number}",
        "messages": [
            {"role": "user", "content": f"Question {number} – ü"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"at": number}}}
                ],
            },
        ],
    }
    for number in range(50)
]


def round_trip() -> dict:
    api = HfApi()
    report = {"clients": [huggingface_hub.__version__, datasets.__version__], "user": api.whoami()["name"]}

    # A model folder: one small file, one that goes to storage.
    model = f"{report['user']}/official-model"
    api.create_repo(model, private=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text('{"hidden_size": 8}')
        Path(folder, "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
        Path(folder, "deep").mkdir()
        weights = bytes(range(256)) * 8192
        Path(folder, "deep", "model.safetensors").write_bytes(weights)
        first = api.upload_folder(repo_id=model, folder_path=folder, commit_message="First")
        Path(folder, "config.json").write_text('{"hidden_size": 16}')
        second = api.upload_folder(repo_id=model, folder_path=folder, commit_message="Second")
    report["commits"] = [commit.title for commit in api.list_repo_commits(model)]
    report["moved"] = first.oid != second.oid
    there = snapshot_download(model)
    report["config"] = Path(there, "config.json").read_text()
    report["same_weights"] = Path(there, "deep", "model.safetensors").read_bytes() == weights
    report["old_config"] = Path(api.hf_hub_download(model, "config.json", revision=first.oid)).read_text()
    report["tree"] = sorted(entry.path for entry in api.list_repo_tree(model, recursive=True))
    report["info"] = [sibling.rfilename for sibling in api.model_info(model, files_metadata=True).siblings]
    report["licence"] = api.model_info(model).card_data.license
    try:
        api.hf_hub_download(model, "nothing.txt")
    except EntryNotFoundError:
        report["no_entry"] = True
    try:
        api.model_info(f"{report['user']}/nothing")
    except RepositoryNotFoundError:
        report["no_repo"] = True

    # A dataset by the library that trainers read it with.
    name = f"{report['user']}/official-dataset"
    made = datasets.Dataset.from_list(ROWS, on_mixed_types="use_json")
    made.push_to_hub(name, private=True)
    again = datasets.load_dataset(name, split="train")
    report["rows_equal"] = again.to_list() == made.to_list()
    streamed = datasets.load_dataset(name, split="train", streaming=True)
    report["streamed"] = [row["id"] for row in streamed.take(3)]
    api.delete_repo(name, repo_type="dataset")
    report["left"] = api.repo_exists(name, repo_type="dataset")
    return report


def rows(repo: str, config: str) -> dict:
    if config == "sessions":
        # One repository has one builder for `datasets`: beside tables, lines are read by their address.
        files = f"hf://datasets/{repo}/sessions/*.jsonl"
        loaded = datasets.load_dataset("json", data_files=files, parse_agent_traces=False)
    else:
        loaded = datasets.load_dataset(repo, config)
    return {split: part.to_list() for split, part in loaded.items()}


def main() -> None:
    what = sys.argv[1]
    result = round_trip() if what == "round-trip" else rows(sys.argv[2], sys.argv[3])
    json.dump(result, sys.stdout, ensure_ascii=False, default=str)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    main()
