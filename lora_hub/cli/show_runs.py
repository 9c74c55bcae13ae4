"""What runs, train, pipeline and publish print for people."""

import time
from typing import Any

from lora_hub.cli.show_answers import show_comparison
from lora_hub.cli.text import score_table, table, units_of, verdict


def state_word(run: dict[str, Any]) -> str:
    return "cancelling" if run["cancelling"] else "newer version" if run["newer"] else run["state"]


def show_runs(result: dict) -> str:
    if "runs" in result:
        if not result["runs"]:
            return "No runs yet. Start one: python -m lora_hub train FILE --task TASK"
        rows = [
            [
                run["run"],
                state_word(run),
                run["task"],
                run["base"],
                f"{run['step']}/{run['total_steps']}",
                _age(run["created"]),
                run["adapter"],
            ]
            for run in result["runs"]
        ]
        # What is not as it should be says so below: a state alone is no explanation.
        told = [
            f"{run['run']}: {run['says'] or run['error']['message'] + ' ' + run['error']['hint']}"
            for run in result["runs"]
            if _needs_words(run)
        ]
        return "\n".join(
            [table(["run", "state", "task", "base", "step", "age", "adapter"], rows), *([""] if told else []), *told]
        )
    if "log" in result:
        return result["log"]
    if "phase" not in result:  # it was waited for
        return show_result(result)
    lines = [
        f"{result['run']}: {state_word(result)}"
        + (f", step {result['step']} of {result['total_steps']}" if result["total_steps"] else "")
    ]
    if result["says"]:
        lines.append(result["says"])
    if result["file_rows"]:
        lines.append(rows_line(result))
    lines += result["notes"]
    if result["phase"]:
        lines.append(result["phase"] + (f", {result['eta']:.0f} s left" if result["eta"] else ""))
    if result["failure"]:
        lines.append(f"{result['failure']['message']} {result['failure']['hint']}")
    if result["rows_missing"]:
        lines.append(result["rows_missing"])
    if result["metrics"]:
        lines += [f"adapter: {result['adapter']}", score_table(result["metrics"]), *verdict(result["comparison"])]
    return "\n".join(lines)


def _needs_words(run: dict[str, Any]) -> bool:
    return bool(run["error"]) or run["cancelling"] or run["late"] or run["state"] == "queued"


def _age(created: float) -> str:
    seconds = max(0, time.time() - created)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def show_result(result: dict) -> str:
    rows = (
        rows_line(result)
        if result["file_rows"]
        else f"{result['train_rows']} rows trained, {result['eval_rows']} held-out rows scored"
    )
    lines = [
        f"{result['state']}: {result['adapter']}",
        f"{rows}, {result['seconds']} s",
        *result["notes"],
        score_table(result["metrics"]),
        f"({units_of(result['metrics'])})",
    ]
    lines += verdict(result["comparison"])
    if not result["revision"]:
        lines.append(f"publish it: python -m lora_hub publish {result['run']}")
    return "\n".join(lines)


def rows_line(result: dict[str, Any]) -> str:
    """What became of every row."""
    return (
        f"{result['file_rows']} rows: {result['train_rows']} trained on, {result['validation_rows']} choose the "
        f"checkpoint (validation), "
        f"{result['eval_rows']} scored (test), {result['left_out']} left out"
    )


def show_pipeline(result: dict) -> str:
    lines = [f"{len(result['runs'])} tasks, trained {result['mode']}, {result['seconds']} s"]
    for row in result["runs"]:
        lines += [f"{row['task']}: {row['state']} {row['adapter']}".rstrip(), *row.get("notes", [])]
        lines += [
            part for part in (score_table(row["metrics"]) if row["metrics"] else "", row.get("error", "")) if part
        ]
        lines += verdict(row.get("comparison"))
    return "\n".join(lines)


def show_scored(result: dict) -> str:
    """The result of `train`, `pipeline` or `compare --test` where it has scores; empty for anything else."""
    if "comparisons" in result:
        return show_comparison(result)
    if result.get("metrics"):
        return show_result(result)
    if any(row.get("metrics") for row in result.get("runs", ())):
        return show_pipeline(result)
    return ""


def show_published(result: dict) -> str:
    return f"{result['adapter']} {', '.join(result['versions'])} at {result['revision'][:12]}\n{result['url']}" + (
        f"\n{result['rows_missing']}" if result["rows_missing"] else ""
    )
