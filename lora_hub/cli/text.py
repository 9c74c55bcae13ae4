"""What the shell prints for people: tables, answers, a progress bar. Plain text only; no decisions."""

import shutil
import sys
import time
from collections.abc import Iterable
from typing import Any

from lora_hub.core import verdicts
from lora_hub.core.schema import PairedComparison, Problem, Run
from lora_hub.runs import run_phases, run_states

# Of an answer's labels, the most likely ones are told.
SHOWN_LABELS = 5


def phase_line(run: Run) -> str:
    """What a run does now, in a line; while it waits or ends, why, and where it is late, that it is."""
    if run.waits or run.cancelling:
        return f"{'cancelling' if run.cancelling else run.state.value}: {run_states.describe(run).en}"
    late = run_phases.how_late(run)
    return (run.phase or run.state.value).split(" (")[0] + (f": {late.en}" if late else "")


class ProgressBar:
    """Shows a run on standard error: a bar where it is a terminal, else a line for each new phase."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._terminal and self._last:
            print(file=sys.stderr)

    def show(self, run: Run) -> None:
        phase = phase_line(run)
        if not self._terminal:
            if phase != self._last:
                self._last = phase
                print(phase, file=sys.stderr, flush=True)
            return
        width = 28
        share = run.step / run.total_steps if run.total_steps else 0.0
        bar = "#" * round(width * share) + "." * (width - round(width * share))
        loss = f"  loss {run.train_losses[-1][1]:.3f}" if run.train_losses else ""
        eta = f"  {run.eta:.0f} s left" if run.eta else ""
        line = f"[{bar}] {run.step}/{run.total_steps}  {phase}{loss}{eta}"[: shutil.get_terminal_size().columns - 1]
        self._last = line
        print("\r\033[K" + line, end="", file=sys.stderr, flush=True)


def show_scoring(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{name}: {done} of {total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def say_problems(problems: Iterable[Problem], about: str = "") -> None:
    """What is wrong with data, a line each, on standard error. `about`: whose data, where there is more than one."""
    for problem in problems:
        print(f"{about}{problem.severity}: {problem.message} {problem.hint}".strip(), file=sys.stderr, flush=True)


def table(header: list[str], rows: list[list[Any]]) -> str:
    """Columns of text, as wide as their widest cell."""
    cells = [header, *[["" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def run_row(run: Run) -> dict[str, Any]:
    """A run as `runs --json` lists it. says: of its state what it is, why and what comes next."""
    return {
        "run": run.id,
        "state": run.state.value,
        "task": run.spec.task.id,
        "base": run.spec.base.id,
        "step": run.step,
        "total_steps": run.total_steps,
        "created": run.created,
        "seconds": round(run.seconds, 1),
        "adapter": run.adapter.repo_id if run.adapter else "",
        "error": run.error.to_json() if run.error else None,
        **run_now(run),
    }


def run_now(run: Run) -> dict[str, Any]:
    """What a run is doing, as JSON. newer: damaged only for this version, because a newer one wrote it. queue: its
    place there, the runs before it and how many may train at once."""
    return {
        "phase": run.phase,
        "says": run_states.describe(run).en,
        "late": run_phases.how_late(run) is not None,
        "cancelling": run.cancelling,
        "newer": run.is_newer,
        "attempt": run.attempt,
        "stopped": run.stopped,
        "queue": run.waits.model_dump(mode="json") if run.waits else None,
    }


def state_word(run: dict[str, Any]) -> str:
    return "cancelling" if run["cancelling"] else "newer version" if run["newer"] else run["state"]


def show_tasks(result: dict) -> str:
    return table(
        ["task", "title", "inputs", "answer", "metrics"],
        [
            [t["id"], t["title"]["en"], ", ".join(t["inputs"]), t["output"], ", ".join(t["metrics"])]
            for t in result["tasks"]
        ],
    )


def show_bases(result: dict) -> str:
    rows = []
    for base in result["bases"]:
        size = f"{base['parameters'] / 1e6:,.1f} M" if base["parameters"] else "?"
        rows.append([base["id"], size, base["context"], base["licence"], "gated" if base["gated"] else ""])
    return table(["base", "parameters", "context", "licence", ""], rows)


class GroupProgress:
    """Shows several runs on standard error: a line whenever one of them begins something else."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __enter__(self) -> "GroupProgress":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def show(self, runs: list[Run]) -> None:
        for run in runs:
            phase = phase_line(run)
            if self._last.get(run.id) != phase:
                self._last[run.id] = phase
                print(f"{run.spec.task.id}: {phase}", file=sys.stderr, flush=True)


def show_scored(result: dict) -> str:
    """The result of `train`, `pipeline` or `compare --test` where it has scores; empty for anything else."""
    if "comparisons" in result:
        return show_comparison(result)
    if result.get("metrics"):
        return show_result(result)
    if any(row.get("metrics") for row in result.get("runs", ())):
        return show_pipeline(result)
    return ""


def show_pipeline(result: dict) -> str:
    lines = [f"{len(result['runs'])} tasks, trained {result['mode']}, {result['seconds']} s"]
    for row in result["runs"]:
        lines += [f"{row['task']}: {row['state']} {row['adapter']}".rstrip(), *row.get("notes", [])]
        lines += [
            part for part in (score_table(row["metrics"]) if row["metrics"] else "", row.get("error", "")) if part
        ]
        lines += verdict(row.get("comparison"))
    return "\n".join(lines)


def show_inspection(result: dict) -> str:
    lines = [f"{_rows(result['rows'])}, columns: {', '.join(result['columns'])}"]
    sheet = f", sheet {result['sheet']!r}" if result["sheet"] else ""
    lines.append(
        f"format {result['format']}, encoding {result['encoding'] or '-'}, delimiter {result['delimiter']!r}{sheet}"
    )
    lines.append(f"task: {result['task']}")
    lines.append("mapping: " + ", ".join(f"{role} = {column}" for role, column in result["mapping"].items()))
    lines += [f"mended: {mend['said']} ({_rows(mend['rows'])})" for mend in result["mends"]]
    for problem in result["problems"]:
        lines.append(f"{problem['severity']}: {problem['message']} {problem['hint']}".rstrip())
        if problem["mends"]:
            names = [problem["code"], *(f"{problem['code']}.{mend['kind']}" for mend in problem["mends"][1:])]
            lines.append(f"    mend: --mend {' or '.join(names)}")
    if result["lengths"]:
        of = result["lengths"]
        lines.append(
            f"tokens a row ({of['base']}, {of['sampled']} rows): median {of['total'][3]}, 95 % {of['total'][5]}, "
            f"longest {of['total'][7]}; "
            f"{of['too_long']} too long for {of['max_length']}, {of['trained_share']:.0%} of the tokens trained"
        )
    for shown in result["preview"][:2]:
        lines += ["", shown["prompt"], f">>> {shown['completion']}"]
    rows = [[one["key"], _plain(one["value"]), one["why"]] for one in result["settings"]]
    lines += ["", table(["--set", "value", "why"], rows)]
    if result["estimate"]:
        of = result["estimate"]
        lines.append(estimated(of["steps"], of["seconds"], of["memory_bytes"]))
    return "\n".join(lines)


def estimated(steps: int, seconds: float, memory_bytes: int) -> str:
    """What a training will take, in a line."""
    return f"about {steps} step{'' if steps == 1 else 's'}, {seconds:.0f} s, {memory_bytes / 2**20:.0f} MiB"


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return (
        ",".join(value)
        if isinstance(value, list | tuple)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def score_table(metrics: dict[str, dict[str, dict[str, float]]]) -> str:
    names = list(dict.fromkeys(name for of in metrics.values() for name in of))
    rows = [
        [
            who,
            *[
                f"{of[name]['value']:.1f} ({of[name]['low']:.1f} to {of[name]['high']:.1f})" if name in of else ""
                for name in names
            ],
        ]
        for who, of in metrics.items()
    ]
    return table(["", *names], rows)


def _units(metrics: dict[str, dict[str, Any]]) -> str:
    """What the figures of a score table are."""
    less = "; of calibration_error, less is better" if any("calibration_error" in of for of in metrics.values()) else ""
    return f"per cent, 95 % intervals{less}"


def verdict(comparison: dict[str, Any] | None, name: str = "adapter") -> list[str]:
    """What the paired test of an adapter against its base says; no line where there was none."""
    if not comparison:
        return []
    found = PairedComparison(**comparison)
    return [
        (
            f"{found.metric}, {name} against the {verdicts.WHO.get(found.against, found.against)}: "
            f"{verdicts.describe(found).en} (p = {found.p:.2g})"
        )
    ]


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
        f"({_units(result['metrics'])})",
    ]
    lines += verdict(result["comparison"])
    if not result["revision"]:
        lines.append(f"publish it: python -m lora_hub publish {result['run']}")
    return "\n".join(lines)


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


def rows_line(result: dict[str, Any]) -> str:
    """What became of every row."""
    return (
        f"{result['file_rows']} rows: {result['train_rows']} trained on, {result['validation_rows']} choose the "
        f"checkpoint (validation), "
        f"{result['eval_rows']} scored (test), {result['left_out']} left out"
    )


def _age(created: float) -> str:
    seconds = max(0, time.time() - created)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def show_published(result: dict) -> str:
    return f"{result['adapter']} {', '.join(result['versions'])} at {result['revision'][:12]}\n{result['url']}" + (
        f"\n{result['rows_missing']}" if result["rows_missing"] else ""
    )


def show_adapters(result: dict) -> str:
    if not result["adapters"]:
        names = {"embedded": "this machine's own Hub", "public": "the public Hub", "other": "the Hub"}
        where = f"{names[result['hub']['kind']]} at {result['hub']['url']}"
        if result["others"]:
            asked = [f"{what} {result[what]}" for what in ("task", "base") if result[what]]
            rest = "others" if len(asked) > 1 else f"other {asked[0].split()[0]}s"
            return (
                f"No adapters of {' and '.join(asked)} in {result['organization']} on {where}; {result['others']} "
                f"of {rest}."
            )
        return (
            f"No adapters yet in {result['organization']} on {where}. Train and publish one: python -m lora_hub "
            f"train FILE --task TASK --publish"
        )
    rows = []
    for ref in result["adapters"]:
        scores = ref["metrics"].get("adapter", {})
        first = next(iter(scores.items()), None)
        score = (
            f"{first[0]} {first[1]['value']:.1f}" + (f" ({_rows(first[1]['rows'])})" if first[1]["rows"] else "")
            if first
            else ""
        )
        rows.append(
            [ref["repo_id"], ", ".join(ref["versions"][:3]), ref["task"], ref["base"], score, ref["updated"][:10]]
        )
    return table(["adapter", "versions", "task", "base", "score", "updated"], rows)


def show_comparison(result: dict) -> str:
    if "metrics" in result:
        told = [line for name, found in result["comparisons"].items() for line in verdict(found, name)]
        return "\n".join(
            [f"{_rows(result['rows'])} ({_units(result['metrics'])})", score_table(result["metrics"]), *told]
        )
    lines = []
    for answer in result["answers"]:
        commit = f" @ {answer['revision'][:8]}" if answer["revision"] else ""
        lines += [f"--- {answer['adapter']}{commit}: {answer['tokens']} tokens, {answer['seconds']} s", answer["text"]]
        if answer["probabilities"]:
            likely = sorted(answer["probabilities"].items(), key=lambda one: -one[1])
            more = f", {len(likely) - SHOWN_LABELS} more" if len(likely) > SHOWN_LABELS else ""
            lines.append("(" + ", ".join(f"{label} {share:.1%}" for label, share in likely[:SHOWN_LABELS]) + more + ")")
        if answer["divergence"] and answer["divergence"]["kl"] == 0 and answer["divergence"]["changed"] == 0:
            lines.append("(this adapter changes nothing)")
    return "\n".join(lines)
