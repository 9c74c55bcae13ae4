"""The router on real rows: `python tests/bench/bench_router.py DATA [BASE] [ROWS] [FEW] [--fresh [FIRST]]`

DATA: the folder of the real data sets. BASE: a folder or `built-in`. ROWS: of a task (default 480; of SmolLM2-135M on
two cores, 150 take some minutes). FEW: as many rows of a task instead are all that is trained on and validated with, an
eighth of them for the latter. Of each task two thirds are trained on (the region), an eighth validates and the
rest is routed: all tasks there, and each left out in turn. Tasks whose questions may be any sentence (translation,
instructions, half of the SMS) are measured beside the others, because nothing in a bare sentence says whether it is to
be translated.

Nothing that is reported was trained on or validated with. But the constants of `regions/` were chosen after a look at
the first 960 rows of these tasks, so figures on them flatter. --fresh takes ROWS of those behind (behind the first
FIRST, if it is given; a task with none stays out), and brings in tasks that no constant was chosen by: beside the
others, and asked while none of them is there. Of these, 480 rows (of the requests to an assistant all) have been looked
at: what is said there suggested some kinds of everyday texts.
"""

import argparse
import csv
import gzip
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lora_hub import regions  # noqa: E402
from lora_hub.answering import loading  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.regions.fitting import fit_region, generic_texts, read_everyday  # noqa: E402

OWN = ("sentiment", "intent", "maths", "sql", "sentiment-fa", "dialogues")
ANY = ("sms",)
NEW = ("news", "premises-fa", "assistant")
# Rows of a task, the first in the order drawn, that have been looked at; those of a new one; and the fewest others.
LOOKED_AT, LOOKED_AT_NEW, FEWEST = 960, 480, 100


def read_tasks(data: Path, rows: int, fresh: int = 0) -> dict[str, list[str]]:
    """The questions of each task, without its own words around them, none twice, in an order drawn with a seed. fresh:
    those that nobody has looked at."""

    def json_lines(path: str, key: str) -> list[str]:
        return [json.loads(line)[key] for line in (data / path).read_text(encoding="utf-8").splitlines()]

    def table(path: str, column: int, delimiter: str = ",", encoding: str = "utf-8") -> list[str]:
        opened = gzip.open if path.endswith(".gz") else open
        with opened(data / path, "rt", encoding=encoding, newline="") as file:
            quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
            return [row[column] for row in csv.reader(file, delimiter=delimiter, quoting=quoting) if row][1:]

    found = {
        "sentiment": table("classification/sst2/sst2_train.tsv", 0, "\t"),
        "intent": table("classification/banking77/train.csv", 0),
        "maths": json_lines("qa/gsm8k_train.jsonl", "question"),
        "sql": json_lines("text2sql/wikisql_train_5000.jsonl", "question"),
        "sentiment-fa": json_lines("classification/parsinlu_sentiment/movie_train.jsonl", "review"),
        "dialogues": json_lines("summarization/dialogsum.dev.jsonl", "dialogue"),
        "sms": table("spam/spam.csv", 1, encoding="windows-1252"),
    }
    if fresh:
        calls = json.loads((data / "instruct/glaive_toolcall_en_demo.json").read_text(encoding="utf-8"))
        found |= {
            "news": table("difficult/agnews.csv.gz", 2),
            "premises-fa": table("classification/parsinlu_entailment/train.csv", 1),
            "assistant": [one["conversations"][0]["value"] for one in calls],
        }
    drawn = {}
    for name, texts in found.items():
        one = sorted({text.strip() for text in texts if text.strip()})
        random.Random(0).shuffle(one)
        begin = 0 if not fresh else LOOKED_AT_NEW if name in NEW else fresh
        if len(one) >= begin + FEWEST:
            drawn[name] = one[begin : begin + rows]
    return drawn


def measure(
    data: Path, name: str = "built-in", rows: int = 480, few: int = 0, fresh: int = 0
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """{"own", "any" or "new": {task: (nearest is right, routed right, refused while absent)}}, as shares of its rows.
    New tasks are absent together."""
    base = bases.get_base(name)
    stack, tokenizer = AdapterStack(loading.load_base(base), base), loading.load_tokenizer(base)
    origin = regions.read_states(stack, tokenizer, generic_texts())[0].mean(axis=0)
    everyday = read_everyday(stack, tokenizer)
    fitted, asked = {}, {}
    for task, texts in read_tasks(data, rows, fresh).items():
        states, tokens = regions.read_states(stack, tokenizer, texts)
        first, second = int(len(texts) * 0.67), int(len(texts) * 0.79)
        trained, validated = slice(0, first), slice(first, second)
        if few:
            trained, validated = slice(0, few - few // 8), slice(few - few // 8, few)
        of = (states[trained], tokens[trained], states[validated], tokens[validated])
        fitted[task] = fit_region(*of, origin, everyday, base.id)
        asked[task] = states[second:], tokens[second:]
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    groups = {"own": OWN, "any": OWN + ANY} | ({"new": OWN + NEW} if fresh else {})
    for which, named in groups.items():
        tasks, found[which] = [one for one in named if one in fitted], {}
        for task in tasks:
            gone = NEW if task in NEW else (task,)
            there = regions.Atlas({one: fitted[one] for one in tasks}).place_all(*asked[task])
            absent = regions.Atlas({one: fitted[one] for one in tasks if one not in gone}).place_all(*asked[task])
            count = len(there)
            found[which][task] = (
                sum(one[0].name == task for one in there) / count,
                sum(one[0].name == task and one[0].fits for one in there) / count,
                sum(not one[0].fits for one in absent) / count,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("base", nargs="?", default="built-in")
    parser.add_argument("rows", nargs="?", type=int, default=480)
    parser.add_argument("few", nargs="?", type=int, default=0)
    parser.add_argument("--fresh", nargs="?", type=int, const=LOOKED_AT, default=0, metavar="FIRST")
    given = parser.parse_args()
    base, found = given.base, measure(given.data, given.base, given.rows, given.few, given.fresh)
    notes = {"any": " (one may be any sentence)", "new": " (the last of which are new)"}
    for which, told in found.items():
        print(f"{base}, {len(told)} tasks{notes.get(which, '')}")
        print("  nearest right   routed right   refused while absent")
        for task, shares in told.items():
            print(f"  {shares[0]:13.1%}  {shares[1]:13.1%}  {shares[2]:13.1%}   {task}")
        means = [sum(one[place] for one in told.values()) / len(told) for place in range(3)]
        print(f"  {means[0]:13.1%}  {means[1]:13.1%}  {means[2]:13.1%}   mean")


if __name__ == "__main__":
    main()
