"""Whether readers and checks do work in proportion to the data, on data made to be hard: CPU seconds for n and for 2n
rows.

    python tests/bench/bench_linear.py [--only WORD] [--seconds 1.0]

Prints a line a case with the ratio: about 2 is linear, 4 is quadratic. Each case grows until it takes `--seconds`, so
that the start of the process does not count. Exits with 1 where a ratio is above 3.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from lora_hub.catalogue.tasks.catalogue import get_task  # noqa: E402
from lora_hub.core.errors import LoraHubError  # noqa: E402
from lora_hub.data.chats.convert import holds_marks, to_messages  # noqa: E402
from lora_hub.data.columns import columns  # noqa: E402
from lora_hub.data.inspection import inspect_table  # noqa: E402
from lora_hub.data.read import read  # noqa: E402
from lora_hub.data.read.merged_cells import Merge, unmerged  # noqa: E402
from lora_hub.data.tables.table import Table  # noqa: E402

SPAM = {"text": "text", "answer": "label"}


def texts(of: Callable[[int], str]) -> Callable[[int], None]:
    """A file of text, of n parts, read whole."""
    return lambda n: _read(of(n))


def _read(content: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.txt"
        file.write_text(content, encoding="utf-8")
        try:
            read.read_table(file, skip_broken=True)
        except LoraHubError:
            pass  # refused in words, which is an answer


def rows(of: Callable[[int], tuple[str, str]], task: str = "spam") -> Callable[[int], None]:
    """A table of n rows, looked at whole."""

    def look(n: int) -> None:
        made = [of(number) for number in range(n)]
        table = Table(
            polars.DataFrame({"text": [text for text, _ in made], "label": [label for _, label in made]}), "csv"
        )
        inspect_table(table, get_task(task), SPAM if task == "spam" else None, fingerprint="", name="x")

    return look


def one_text(of: Callable[[int], str], task: str = "instruction") -> Callable[[int], None]:
    """A table of ten rows, each text n parts long."""
    return lambda n: rows(lambda number: (of(n) + str(number), ("good", "bad")[number % 2]), task)(10)


def columns_of(n: int) -> None:
    table = Table(
        polars.DataFrame(
            {f"column {number}": [f"text {number} {row}" for row in range(20)] for number in range(min(n, 2_000))}
        ),
        "csv",
    )
    for task in ("spam", "question-answering"):
        columns.propose_mapping(table, get_task(task))
    columns.propose_task(table)


def merged(n: int) -> None:
    unmerged(
        polars.DataFrame({"a": ["x"] + [None] * n, "b": ["y"] * (n + 1)}),
        [Merge(row, 0, row + n, 0) for row in range(n)],
    )


def jsonl(rows_: list) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows_)


CASES: dict[str, Callable[[int], None]] = {
    # readers
    "csv: text after a closing mark": texts(lambda n: "text,label\n" + '"a" b c,"x" y\n' * n),
    "csv: a mark opened on each line": texts(lambda n: "text,label\n" + 'b",x,"c\n' * n),
    "csv: an odd mark on each line": texts(lambda n: "text,label\n" + '"abc,ham\n' * n),
    "csv: too many cells on each line": texts(lambda n: "text,label\n" + "a,b\n" + "a,b,c,d\n" * n + "a,b\n" * 2 * n),
    "csv: one line of single marks": texts(lambda n: "text,label\n" + ",'x" * n),
    "csv: one line of delimiters": texts(lambda n: ",;|\t" * n + "\na,b\n"),
    "csv: one cell of marks": texts(lambda n: 'text,label\n"' + '""' * n + '",ham\n'),
    "csv: spaces only": texts(lambda n: "text,label\n" + " " * n + ",ham\nx,spam\n"),
    "jsonl: new keys in each row": texts(lambda n: jsonl([{f"key {number}": "x"} for number in range(n)])),
    "jsonl: one row of keys": texts(lambda n: jsonl([{f"key {number}": number for number in range(n)}] * 2)),
    "json: one row of keys that are spaces": texts(
        lambda n: json.dumps([{" " * number: "x" for number in range(min(n, 3_000))}])
    ),
    "json: objects in objects": texts(lambda n: '{"a":' * min(n, 900) + "1" + "}" * min(n, 900)),
    "jsonl: broken lines": texts(lambda n: '{"text": "a", "label": "b"}\n' + '{"text": \n' * n),
    "html: hidden tags never closed": texts(
        lambda n: "<table><tr><td>a</td></tr></table><div hidden>" + "<div>" * n + "</b>" * n
    ),
    "html: tables in tables": texts(lambda n: "<table><tr><td>" * n + "x" + "</td></tr></table>" * n),
    "html: cells that reach down": texts(
        lambda n: "<table>" + '<tr><td rowspan="9999">a</td><td>b</td></tr>' * n + "</table>"
    ),
    "html: a cell of pieces": texts(
        lambda n: "<table><tr><td>a</td><td>b</td></tr><tr><td>" + "x&amp;<b>y</b>" * n + "</td><td>c</td></tr></table>"
    ),
    "html: comments": texts(
        lambda n: "<!-- x -->" * n + "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
    ),
    "text: an SQL dump's comments": texts(lambda n: "/* x */   " * n + "nothing"),
    "text: settings and spaces": texts(lambda n: "[a]\n" + " " * n + "x"),
    "text: an e-mail's lines": texts(lambda n: "From: me\n" + "x\n" * n),
    "text: a drawn table": texts(lambda n: "| a | b |\n|---|---|\n" + "| x | y |\n" * n),
    "text: rules of a drawn table": texts(lambda n: "|-" * n + "\n| a | b |\n"),
    "text: fastText": texts(lambda n: "__label__a " * n + "text\n" + "__label__b text\n" * 9),
    # checks
    "labels: all different": rows(lambda n: (f"text {n} of the table", f"label {n // 3}")),
    "labels: sets of many": rows(lambda n: (f"text {n} of the table", f"a{n % 999}, b{n % 998}, c{n % 997}")),
    "rows: all the same": rows(lambda n: ("the very same text of some words here", "ham" if n % 2 else "spam")),
    "rows: nearly the same": rows(
        lambda n: (f"the very same text of some words that are here and there {n}", "ham" if n % 2 else "spam")
    ),
    "rows: in one bucket": rows(
        lambda n: ("one two three four five six seven eight nine ten " * 3 + chr(97 + n % 26) * (n % 50), "ham")
    ),
    "text: spaces": one_text(lambda n: "a" + " " * n),
    "text: marks of speakers": one_text(lambda n: "[INST] " * n),
    "text: marks of speakers, closed": one_text(lambda n: "[INST] a [/INST] b " * n),
    "text: hashes": one_text(lambda n: "### " * n),
    "text: angle brackets": one_text(lambda n: "<" * n),
    "text: comments left open": one_text(lambda n: "<!-- " * n),
    "text: braces": one_text(lambda n: "{{" * n),
    "text: at signs": one_text(lambda n: "a@" * n),
    "text: digits": one_text(lambda n: "1" * n),
    "text: digits in groups": one_text(lambda n: "1234 " * n),
    "text: one word": one_text(lambda n: "x" * n),
    "text: letters with accents": one_text(lambda n: "Ã©" * n),
    "text: dots": one_text(lambda n: "a." * n),
    "text: tags": one_text(lambda n: "<a>" * n),
    "text: equals signs": one_text(lambda n: "key=" * n),
    "columns: many": columns_of,
    "cells: merged over each other": merged,
    "chat: marks": lambda n: holds_marks("[INST] " * n),
    "chat: turns": lambda n: to_messages(
        [{"role": ("user", "assistant")[turn % 2], "content": "x"} for turn in range(n)]
    ),
}
for _mend in ("mask", "plain-text", "mend-letters"):
    for _name, _text in {
        "brackets": "<",
        "open comments": "<!-- ",
        "at signs": "a@",
        "digits": "1",
        "accents": "Ã©",
    }.items():
        CASES[f"mend {_mend}: {_name}"] = lambda n, kind=_mend, text=_text: _mended(kind, text * n)


def _mended(kind: str, text: str) -> None:
    from lora_hub.core.schema import Mend
    from lora_hub.data.mending.mends import apply_mends

    table = Table(polars.DataFrame({"instruction": [text] * 3, "output": [text] * 3}), "csv")
    apply_mends(table, get_task("instruction"), {"instruction": "instruction", "answer": "output"}, [Mend(kind=kind)])


def seconds_of(case: Callable[[int], None], n: int) -> float:
    began = time.process_time()
    case(n)
    return time.process_time() - began


def measure(case: Callable[[int], None], least: float) -> tuple[int, float, float]:
    """(n, seconds for n, seconds for 2n): n doubles until 2n takes `least` seconds, or is a million."""
    n = 1_000
    taken = seconds_of(case, n)
    while True:
        again = seconds_of(case, 2 * n)
        if again >= least or 2 * n >= 1_000_000:
            return n, taken, again
        n, taken = 2 * n, again


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    told, worst = [], 0.0
    for name, case in CASES.items():
        if options.only not in name:
            continue
        n, first, second = measure(case, options.seconds)
        ratio = second / max(first, 1e-3)
        worst = max(worst, ratio if second > 0.1 else 0.0)
        told.append(
            {"case": name, "n": n, "seconds": round(first, 3), "seconds_2n": round(second, 3), "ratio": round(ratio, 2)}
        )
        print(f"{name:40} n {n:>8,}  {first:7.3f} s  2n {second:7.3f} s  x{ratio:.2f}", flush=True)
    print(json.dumps({"linear": told}))
    return int(worst > 3)


if __name__ == "__main__":
    sys.exit(main())
