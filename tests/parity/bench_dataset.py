"""The peer of `cargo xtask bench dataset`: rows that lie in memory go through `Dataset.from_list(...).to_parquet(...)`.

Usage: bench_dataset.py ROWS.jsonl OUT.parquet OURS.parquet. The last line of stdout is one JSON object. Fails where the
file that the app wrote has other rows than the peer's.
"""

import json
import os
import resource
import sys
import time

import datasets


def main():
    lines, out, ours = sys.argv[1:4]
    datasets.disable_progress_bars()
    with open(lines, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        # All of its values are `None` where nobody marked a stretch: a column of no type.
        row.pop("train_spans", None)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    before = peak()
    begun = time.perf_counter()
    made = datasets.Dataset.from_list(rows, on_mixed_types="use_json")
    made.to_parquet(out)
    secs = time.perf_counter() - begun
    peak_mib = peak() - before
    read = datasets.load_dataset("parquet", data_files=ours, split="train", cache_dir=os.path.dirname(out) + "/cache")
    assert len(read) == len(rows), f"{len(read)} rows were read of {len(rows)}"
    for place in range(0, len(rows), max(1, len(rows) // 200)):
        row = read[place]
        assert all(row[key] == value for key, value in rows[place].items()), f"row {place} is not the same"
    print(json.dumps({"secs": secs, "peak_mib": peak_mib, "bytes": os.path.getsize(out), "rows": len(made)}))


if __name__ == "__main__":
    main()
