"""Loads dataset versions that this app wrote with the official `datasets` and prints the rows, as one line of JSON.

Usage: python dataset.py FOLDER

Every `*.parquet` of FOLDER is loaded on its own. Where messages and tools come as JSON text, they are read with
`json.loads` and nothing else, as the export says; `nested` tells whether that was needed.
"""

import json
import sys
import tempfile
from pathlib import Path

import datasets
from datasets import load_dataset

JSON_COLUMNS = ("messages", "tools", "train_spans", "prompt", "chosen", "rejected")


def read(row: dict) -> dict:
    return {
        key: json.loads(value) if key in JSON_COLUMNS and isinstance(value, str) else value
        for key, value in row.items()
    }


def main() -> None:
    datasets.disable_progress_bars()
    files, nested = {}, {}
    with tempfile.TemporaryDirectory() as cache:
        for path in sorted(Path(sys.argv[1]).glob("*.parquet")):
            loaded = load_dataset("parquet", data_files=str(path), split="train", cache_dir=cache)
            nested[path.name] = isinstance(loaded[0]["messages"], list)
            files[path.name] = [read(row) for row in loaded]
    print(json.dumps({"version": datasets.__version__, "nested": nested, "files": files}, ensure_ascii=False))


if __name__ == "__main__":
    main()
