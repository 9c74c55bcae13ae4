"""What a line of `bench/quality.jsonl` keeps of a cell's answers, and the table that is made of the lines.

scores_of(rows, answers)      what a line keeps: each row's score, no text
report(file)                  prints the table of each base
"""

import json
from pathlib import Path
from typing import Any

from quality_rows import TASKS, Rows

from lora_hub.data.prompts import split
from lora_hub.evaluation import metrics, statistics

RECIPES = ("ours", "trl", "llama-factory", "examples")
PEERS = ("trl", "llama-factory")


def scores_of(rows: Rows, answers: list[Any]) -> dict[str, Any]:
    """What a line keeps of the answers: no text, but each row's score, from which every test can be computed again.

    scores: one a row, in the scored rows' order: of labels a string of 0 and 1, of texts whole per cent. truth: of
    labels the right one's number, in base 36. clusters: of rows that are nearly the same, where there are any."""
    texts = [answer.text for answer in answers]
    references = [example.answer for example in rows.scored]
    clusters = [int(number) for number in split.cluster_examples(rows.scored)]
    kept: dict[str, Any] = {"metric": rows.metric, "scored": len(references)}
    if len(set(clusters)) < len(clusters):
        kept["clusters"] = clusters
    if rows.task.output == "labels":
        hits = metrics.METRICS["accuracy"].table(texts, [[one] for one in references]).values[:, 0]
        numbers = {label: place for place, label in enumerate(rows.task.labels)}
        kept["truth"] = "".join(DIGITS[numbers[one]] for one in references)
        kept["scores"] = "".join(str(int(hit)) for hit in hits)
    else:
        metric = metrics.METRICS[rows.metric]
        table = metric.table(texts, [[one] for one in references])
        kept["scores"] = [
            round(100 * float(one)) if rows.metric == "rougeL" else round(float(one)) for one in metric.each(table)
        ]
    return {**kept, "value": round(value_of(kept), 2)}


DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def table_of(line: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(table, function of its sums, each row's score) of a line, as `statistics` takes them."""
    import numpy as np

    if "truth" in line:
        # A wrong answer is nobody's label: neither metric asks which wrong one it was.
        metric = metrics.METRICS[line["metric"]]
        said = [label if hit == "1" else "?" for label, hit in zip(line["truth"], line["scores"], strict=True)]
        table = metric.table(said, [[label] for label in line["truth"]])
        return table, metric.value, metric.each(table)
    each = np.array(line["scores"], dtype=np.float64) / 100
    table = statistics.RowTable(np.stack([each, np.ones(len(each))], axis=1), 2)
    return table, lambda sums: 100 * sums[:, 0] / sums[:, 1], each


def value_of(line: dict[str, Any]) -> float:
    table, value, _ = table_of(line)
    return float(value(table.total()[None])[0])


def read_results(file: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """(base, task, recipe, seed) -> its last line."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    told = [json.loads(line) for line in lines if line.strip()]
    return {(line["base"], line["task"], line["recipe"], line["seed"]): line for line in told}


def joined(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Several seeds' lines on the same rows as one: a row's answers are one cluster."""
    first = lines[0]
    clusters = first.get("clusters") or list(range(first["scored"]))
    whole = {"metric": first["metric"], "clusters": clusters * len(lines)}
    if "truth" in first:
        whole["truth"] = first["truth"] * len(lines)
    start: Any = "" if isinstance(first["scores"], str) else []
    for line in lines:
        start = start + line["scores"]
    return {**whole, "scores": start}


def compare(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Any:
    """Ours against theirs on the same seeds and rows: a PairedComparison."""
    import numpy as np

    one, other = joined(ours), joined(theirs)
    (mine, value, each), (its, _, other_each) = table_of(one), table_of(other)
    return statistics.compare(
        one["metric"], mine, its, value, (each, other_each), clusters=np.array(one["clusters"]), against="peer"
    )


def report(file: Path) -> bool:
    """Prints the table of each base. Returns whether the goals are met on every one."""
    found = read_results(file)
    met = True
    for base in sorted({key[0] for key in found}):
        met = report_base(base, {key[1:]: line for key, line in found.items() if key[0] == base}) and met
    return met and bool(found)


def report_base(base: str, found: dict[tuple[str, str, int], dict[str, Any]]) -> bool:
    recipes = [*RECIPES, *sorted({key[1] for key in found} - {*RECIPES})]
    recipes = [one for one in recipes if any(key[1] == one for key in found)]
    rows: dict[str, list[str]] = {}
    against: dict[str, dict[str, Any]] = {"peer": {}, "examples": {}}
    for name in TASKS:
        lines = {one: [found[key] for key in sorted(found) if key[:2] == (name, one)] for one in recipes}
        if not any(lines.values()):
            continue
        some = next(each[0] for each in lines.values() if each)
        rows[name] = [name, some["metric"], str(some["rows"]), str(some["scored"])]
        rows[name] += [cell_text(lines[one]) for one in recipes]
        rivals = {one: paired(lines.get("ours", []), lines.get(one, [])) for one in (*PEERS, "examples")}
        peers = [compare(*rivals[one]) for one in PEERS if rivals[one][0]]
        if len(peers) == len(PEERS):
            against["peer"][name] = min(peers, key=lambda one: one.difference)
        if rivals["examples"][0]:
            against["examples"][name] = compare(*rivals["examples"])
    tested = {
        who: dict(zip(of, statistics.adjust_for_several(list(of.values())), strict=True)) for who, of in against.items()
    }
    print(f"\n{base}: per cent, mean of the seeds (how many), mean CPU seconds of training")
    head = ["task", "metric", "rows", "scored", *recipes, "ours - best peer", "ours - examples"]
    table = [[*rows[name], *(difference_text(tested[who].get(name)) for who in tested)] for name in rows]
    for line in (head, *table):
        print("| " + " | ".join(line) + " |")
        if line is head:
            print("|" + "---|" * len(head))
    peer, shown = tested["peer"].values(), tested["examples"].values()
    no_worse, better = sum(one.difference >= 0 for one in peer), sum(one.verdict == "better" for one in peer)
    beats = sum(one.difference > 0 for one in shown)
    print(
        f"{base}: as good as the better peer or better on {no_worse} of {len(peer)} tasks (goal 9 of 10), surely "
        f"better on {better} (goal 5); above the base with examples on {beats} of {len(shown)}"
    )
    return no_worse >= 9 and better >= 5 and beats == len(shown) == len(TASKS)


def paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The lines of the seeds that both have."""
    other = {line["seed"]: line for line in theirs}
    both = [line for line in ours if line["seed"] in other]
    return both, [other[line["seed"]] for line in both]


def cell_text(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "-"
    mean = sum(line["value"] for line in lines) / len(lines)
    seconds = sum(line["cpu"] for line in lines) / len(lines)
    return f"{mean:.1f} ({len(lines)})" + (f" {seconds:.0f} s" if seconds else "")


def difference_text(found: Any) -> str:
    if found is None:
        return "-"
    return f"{found.difference:+.1f} ({found.low:+.1f} to {found.high:+.1f}) {found.verdict}"
