"""Labels by their whole likelihood against two cheaper ways: one forward over the whole prompts, which is the least
that a greedy choice of the first token takes, and as many tokens written one by one as the longest label has, which is
what a greedy choice of a whole label takes. CPU seconds, and how many answers differ from the first token's.

    OMP_NUM_THREADS=1 python tests/bench/bench_labels.py [--rows 120] [--rounds 3] [--base built-in] [--run RUN_FOLDER]

--run: the adapter of a finished run as well, on its own held-out rows: a trained adapter leaves few labels in question.
The ways take turns; the least of the rounds counts. On a real base and the samples of the catalogue; the last task has
84 labels.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from lora_hub.answering import loading, prefill, questions
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.catalogue.tasks import catalogue  # noqa: E402
from lora_hub.core.schema import BASE, Task  # noqa: E402
from lora_hub.data.columns import columns  # noqa: E402
from lora_hub.data.planned_rows import with_labels  # noqa: E402
from lora_hub.data.prompts import prepare  # noqa: E402
from lora_hub.data.read import read  # noqa: E402


def sample(name: str, rows: int) -> tuple[Task, list[dict]]:
    task = catalogue.get_task(name)
    table = read.read_table(catalogue.sample_file(task))
    mapping = columns.propose_mapping(table, task).mapping
    examples = prepare.build_examples(table, task, mapping)
    random.Random(0).shuffle(examples)
    return with_labels(task, table, mapping), [example.inputs for example in examples[:rows]]


def many_labels(rows: int) -> tuple[Task, list[dict]]:
    task, inputs = sample("spam", rows)
    parts = [
        f"{verb} {thing}"
        for verb in ("open", "close", "change", "find", "lost", "renew", "pay")
        for thing in (
            "account",
            "card",
            "address",
            "payment",
            "transfer",
            "refund",
            "pin",
            "limit",
            "statement",
            "loan",
            "booking",
            "order",
        )
    ]
    return task.model_copy(update={"labels": tuple(parts)}), inputs


def first_tokens(stack: AdapterStack, pad: int, asked: list[questions.Asked]) -> list[str]:
    """The label with the likeliest first token, from one forward in batches of 8,192 padded tokens, as rows come by
    length."""
    answers = [""] * len(asked)
    order = sorted(range(len(asked)), key=lambda i: len(asked[i].ids))
    while order:
        size = max(1, 8192 // len(asked[order[min(len(order), 8192) - 1]].ids))
        part, order = order[:size], order[size:]
        plan = stack.plan([stack.adapter(asked[i].adapter) for i in part])
        logits = prefill.read_prompts(stack, plan, [asked[i].ids for i in part], pad, use_cache=False).logits
        for row, i in enumerate(part):
            best = max(range(len(asked[i].choices)), key=lambda label: logits[row, asked[i].choices[label][0]].item())
            answers[i] = asked[i].labels[best]
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", default="built-in")
    parser.add_argument("--run", type=Path)
    options = parser.parse_args()
    base = bases.get_base(options.base)
    tokenizer, stack = loading.load_tokenizer(base), AdapterStack(loading.load_base(base), base)
    pad = tokenizer.pad_token_id
    print(
        f"{'task':<22}{'labels':>7}{'tokens':>8}{'first token':>13}{'greedy':>9}{'whole label':>13}{'ratios':>14}"
        f"{'differ':>8}"
    )
    samples = [
        ("spam", *sample("spam", options.rows), ""),
        ("sentiment (fa)", *sample("sentiment", options.rows), ""),
        ("84 labels", *many_labels(options.rows), ""),
    ]
    if options.run is not None:
        rows = [json.loads(line) for line in (options.run / "held_out.jsonl").read_text(encoding="utf-8").splitlines()]
        record = json.loads((options.run / "adapter" / "lora_hub.json").read_text(encoding="utf-8"))
        stack.attach(options.run / "adapter", "trained")
        samples.append(
            (
                "a trained adapter",
                Task.model_validate(record["task"]),
                [row["inputs"] for row in rows[: options.rows]],
                "trained",
            )
        )
    for name, task, inputs, adapter in samples:
        asked = (
            questions.put(tokenizer, task, inputs, adapter=adapter)
            if adapter
            else questions.put(tokenizer, task, inputs)
        )
        longest = max(map(len, asked[0].choices))
        written = questions.put(tokenizer, task, inputs, adapter=adapter or BASE, labels=())
        ways = {
            "first": lambda asked=asked: first_tokens(stack, pad, asked),
            "greedy": lambda written=written, longest=longest: questions.answer_all(
                stack, tokenizer, written, max_new_tokens=longest
            ),
            "whole": lambda asked=asked: [
                one.text for one in questions.answer_all(stack, tokenizer, asked, max_new_tokens=1)
            ],
        }
        seconds, answers = {}, {}
        for way in list(ways) * options.rounds:
            start = time.process_time()
            answers[way] = ways[way]()
            seconds[way] = min(seconds.get(way, 1e9), time.process_time() - start)
        differ = sum(one != other for one, other in zip(answers["first"], answers["whole"], strict=True))
        length = sum(len(one.ids) for one in asked) / len(asked)
        ratios = f"{seconds['whole'] / seconds['first']:.2f} {seconds['whole'] / seconds['greedy']:.2f}"
        print(
            f"{name:<22}{len(task.labels):>7}{length:>8.0f}{seconds['first']:>12.2f}s{seconds['greedy']:>8.2f}s"
            f"{seconds['whole']:>12.2f}s{ratios:>14}{differ:>8}",
            flush=True,
        )


if __name__ == "__main__":
    main()
