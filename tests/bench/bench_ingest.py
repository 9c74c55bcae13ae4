"""How fast files are read and checked, beside the bare builders of `datasets` and openpyxl.

    python tests/bench/bench_ingest.py [--rows 1000000] [--sheet-rows 100000] [--repeats 3]

Prints one line a measurement and, last, one JSON object. Each timing is the best of `--repeats`, each in a process of
its own (so that peaks are its own), imports left out. Goals: CSV and JSONL read and mapped in at most 1.5x of the
builder, pre-flight at most 6 s for a million rows, 600 MiB at most, XLSX 8x faster than openpyxl, near-duplicates of
100,000 rows in 20 s.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

# Each runs in a child: `prepare` is not timed, `work` is.
JOBS = {
    "builder": (
        "import datasets; datasets.disable_progress_bars()",
        (
            "datasets.load_dataset({'.csv': 'csv', '.jsonl': 'json'}[file.suffix], data_files=str(file), "
            "cache_dir=scratch, split='train')"
        ),
    ),
    "read": (
        (
            "from lora_hub.data.columns import columns; from lora_hub.data.read import read; from "
            "lora_hub.catalogue.tasks.catalogue import get_task; task = get_task('spam'); warm()"
        ),
        "columns.propose_mapping(read.read_table(file), task)",
    ),
    "preflight": (
        "from lora_hub.catalogue.bases import get_base; from lora_hub.data import base_fit, inspection; "
        "from lora_hub.core import store; from lora_hub.data.read import read; "
        "from lora_hub.catalogue.tasks.catalogue import get_task; task = get_task('spam'); warm();"
        " table = read.read_table(file)",
        (
            "base_fit.with_lengths(inspection.inspect_table(table, task, fingerprint=store.fingerprint(file), "
            "name='x'), get_base('built-in'))"
        ),
    ),
    "near": (
        (
            "from lora_hub.data.tables import near_duplicates; from lora_hub.data.read import read; texts = "
            "read.read_table(file).frame['text'].head(100_000)"
        ),
        "near_duplicates.near_duplicates(texts)",
    ),
    "openpyxl": (
        "import openpyxl",
        "[list(sheet.iter_rows(values_only=True)) for sheet in openpyxl.load_workbook(file, read_only=True)]",
    ),
    "sheet": ("from lora_hub.data.read import read; warm()", "read.read_table(file)"),
}
CHILD = """
import json, resource, sys, tempfile, time
from pathlib import Path
file, scratch, small = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
def warm():
    from lora_hub.data.read import read
    read.read_table(small)
{prepare}
start, used = time.perf_counter(), time.process_time()
{work}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - start, time.process_time() - used, peak]))
"""


def write_rows(folder: Path, rows: int) -> tuple[Path, Path]:
    """A CSV and a JSONL of made-up messages: 5 to 25 words, some with commas, quotes and line breaks."""
    chance = random.Random(7)
    words = ["".join(chance.choices("etaoinshrdlucmfwyp", k=chance.randint(2, 9))) for _ in range(5_000)]
    table, lines = folder / "rows.csv", folder / "rows.jsonl"
    with table.open("w", newline="", encoding="utf-8") as first, lines.open("w", encoding="utf-8") as second:
        writer = csv.writer(first)
        writer.writerow(["text", "label"])
        for number in range(rows):
            text = " ".join(chance.choices(words, k=chance.randint(5, 25)))
            text = text.replace(" ", ", ", 1) if number % 3 == 0 else text
            text = text.replace(" ", '\n"', 1) + '"' if number % 50 == 0 else text
            label = "spam" if chance.random() < 0.3 else "ham"
            writer.writerow([text, label])
            second.write(json.dumps({"text": text, "label": label}) + "\n")
    return table, lines


def write_sheet(folder: Path, source: Path, rows: int) -> Path:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    with source.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file)):
            if number > rows:
                break
            sheet.append(row)
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def measure(job: str, file: Path, folder: Path, repeats: int) -> dict[str, float]:
    """Best seconds, CPU seconds of that run, and peak MiB of the process."""
    prepare, work = JOBS[job]
    code = CHILD.replace("{prepare}", prepare).replace("{work}", work)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    best = None
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            done = subprocess.run(
                [sys.executable, "-c", code, str(file), scratch, str(folder / "small.csv")],
                capture_output=True,
                text=True,
                env=environment,
            )
        if done.returncode:
            raise SystemExit(f"{job} failed:\n{done.stderr[-2000:]}")
        seconds, cpu, peak = json.loads(done.stdout.splitlines()[-1])
        if best is None or seconds < best["seconds"]:
            best = {"seconds": round(seconds, 3), "cpu": round(cpu, 3), "peak_mib": round(peak)}
    print(
        f"{job:10} {file.suffix:6} {best['seconds']:8.2f} s  {best['cpu']:8.2f} s CPU  {best['peak_mib']:6} MiB",
        flush=True,
    )
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sheet-rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, object] = {"rows": options.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.csv").write_text("text,label\n" + "some words,a\n" * 9, encoding="utf-8")
        for file in write_rows(folder, options.rows):
            kind = file.suffix[1:]
            runs = {job: measure(job, file, folder, options.repeats) for job in ("builder", "read", "preflight")}
            result[kind] = {
                "ratio": round(runs["read"]["seconds"] / runs["builder"]["seconds"], 2),
                "cpu_ratio": round(runs["read"]["cpu"] / runs["builder"]["cpu"], 2),
                "preflight_seconds": runs["preflight"]["seconds"],
                "peak_mib": max(runs["read"]["peak_mib"], runs["preflight"]["peak_mib"]),
            }
        result["near_duplicates_seconds"] = measure("near", folder / "rows.csv", folder, options.repeats)["seconds"]
        sheet = write_sheet(folder, folder / "rows.csv", options.sheet_rows)
        slow, fast = measure("openpyxl", sheet, folder, 1), measure("sheet", sheet, folder, options.repeats)
        result["xlsx_times_faster"] = round(slow["seconds"] / fast["seconds"], 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
