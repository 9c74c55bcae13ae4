"""How `runs`, `train`, `pipeline` and `publish` are shown to people."""

import time
from typing import Any

from lora_hub.cli.screen import Part, Said, Table
from lora_hub.cli.show_answers import show_comparison
from lora_hub.cli.text import rows_of, score_table, units_of, verdict
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.core.schema import PairedComparison
from lora_hub.core.verdicts import told_forgotten
from lora_hub.runs import run_phases, run_states

CANCELLING, NEWER = _("cancelling"), _("newer version")
MODES = {"together": _("together"), "in turn": _("in turn")}


def state_word(run: dict[str, Any]) -> Message:
    return CANCELLING if run["cancelling"] else NEWER if run["newer"] else run_states.word(run["state"])


def show_runs(result: dict[str, Any]) -> list[Part]:
    if "runs" in result:
        return [_("No run fits.")] if not result["runs"] and result.get("of") else _show_list(result["runs"])
    if "log" in result:
        return [result["log"]]
    if "compared" in result:
        return _show_compared(result)
    if "file" in result:
        return [_("written: {file}", file=result["file"])]
    if "text" in result:
        return [result["text"].rstrip("\r\n")]
    if "phase" not in result:  # from `runs wait`
        return show_result(result)
    asked = {"run": result["run"], "state": state_word(result)}
    parts: list[Part] = [
        _("{run}: {state}, step {step} of {total}", **asked, step=result["step"], total=result["total_steps"])
        if result["total_steps"]
        else _("{run}: {state}", **asked)
    ]
    parts += [_called(result)] if result["name"] or result["tags"] else []
    if result["says"]:
        parts.append(result["says"])
    if result["file_rows"]:
        parts.append(rows_line(result))
    parts += [*_kept_settings(result), *result["notes"], *_spent(result)]
    if result["phase"]:
        phase = run_phases.words(result["phase"])
        parts.append(
            _("{phase}, {seconds:.0f} s left", phase=phase, seconds=float(result["eta"])) if result["eta"] else phase
        )
    if result["failure"]:
        parts.append(joined(result["failure"]["message"], result["failure"]["hint"]))
    if result["rows_missing"]:
        parts.append(result["rows_missing"])
    if result["metrics"]:
        parts += [_("adapter: {place}", place=result["adapter"]), score_table(result["metrics"])]
        parts += _verdicts(result)
    return parts


def _show_list(runs: list[dict[str, Any]]) -> list[Part]:
    if not runs:
        return [_("No runs yet. Start one: {command}", command="python -m lora_hub train FILE --task TASK")]
    rows = [
        [
            run["run"],
            state_word(run),
            run["task"],
            run["base"],
            _("{step}/{total}", step=run["step"], total=run["total_steps"]),
            _age(run["created"]),
            run["adapter"],
        ]
        for run in runs
    ]
    if any(run["name"] or run["tags"] for run in runs):
        for row, run in zip(rows, runs, strict=True):
            row.insert(1, _called(run))
    header = [_("run"), _("state"), _("task"), _("base"), _("step"), _("age"), _("adapter")]
    if len(rows[0]) > len(header):
        header.insert(1, _("name"))
    # Problems are explained below, because the state alone explains nothing.
    told = [
        _("{run}: {said}", run=run["run"], said=run["says"] or joined(run["error"]["message"], run["error"]["hint"]))
        for run in runs
        if _needs_words(run)
    ]
    return [Table(header, rows), *([""] if told else []), *told]


def _called(run: dict[str, Any]) -> str:
    """The name and tags that a person gave a run."""
    return " ".join([*([run["name"]] if run["name"] else []), *(f"#{tag}" for tag in run["tags"])])


def _show_compared(result: dict[str, Any]) -> list[Part]:
    runs = result["compared"]
    rows = [[run["name"] or run["run"], *(_loss(run[name]) for name in ("loss", "eval_loss"))] for run in runs]
    parts: list[Part] = [Table([_("run"), _("training loss"), _("lowest validation loss")], rows)]
    if not result["differing"]:
        return [*parts, _("They have the same settings.")]
    named = [[name, *values] for name, values in result["differing"].items()]
    return [*parts, "", Table([_("setting"), *(run["name"] or run["run"] for run in runs)], named)]


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _needs_words(run: dict[str, Any]) -> bool:
    return bool(run["error"]) or run["cancelling"] or run["late"] or run["state"] == "queued"


def _age(created: float) -> Message:
    seconds = max(0.0, time.time() - created)
    if seconds >= 86400:
        return _("{days:.0f} d", days=seconds / 86400)
    if seconds >= 3600:
        return _("{hours:.0f} h", hours=seconds / 3600)
    if seconds >= 60:
        return _("{minutes:.0f} min", minutes=seconds / 60)
    return _("{seconds:.0f} s", seconds=seconds)


def show_result(result: dict[str, Any], *, is_good: bool = True) -> list[Part]:
    """is_good: no score is below its minimum."""
    rows = (
        rows_line(result)
        if result["file_rows"]
        else _(
            "{train} trained on, {scored} scored (test)",
            train=rows_of(result["train_rows"]),
            scored=rows_of(result["eval_rows"]),
        )
    )
    parts: list[Part] = [
        _("{state}: {adapter}", state=run_states.word(result["state"]), adapter=result["adapter"]),
        _("{rows}, {seconds:.1f} s", rows=rows, seconds=float(result["seconds"])),
        *_spent(result),
        *_kept_settings(result),
        *result["notes"],
        score_table(result["metrics"]),
        _("({units})", units=units_of(result["metrics"])),
        *_verdicts(result),
    ]
    if is_good and not result["revision"]:
        parts.append(_("publish it: {command}", command=f"python -m lora_hub publish {result['run']}"))
    return parts


def _verdicts(result: dict[str, Any]) -> list[Part]:
    """What the paired tests say: against the base, against the adapter that the run goes on from, and on general
    questions."""
    parts: list[Part] = [*verdict(result.get("comparison"))]
    if result.get("parent"):
        parts.append(_("It goes on from {name}.", name=result["parent"]["name"]))
        parts += verdict(result["parent_comparison"])
    if result.get("files"):
        parts.append(_by_file(result["files"]))
    if result.get("general"):
        parts.append(told_forgotten(PairedComparison(**result["general"])))
    return parts


def _by_file(files: list[dict[str, Any]]) -> Table:
    """Scores by file, where several were one dataset."""
    rows = [
        [
            one["name"],
            f"{one['weight']:g}",
            str(one["trained"]),
            *[f"{one[who]['value']:.1f} ({one[who]['rows']})" if one[who] else "" for who in ("base", "adapter")],
        ]
        for one in files
    ]
    return Table([_("file"), _("weight"), _("rows trained"), _("base"), _("adapter")], rows)


def _kept_settings(result: dict[str, Any]) -> list[Part]:
    """Which of several settings a run kept."""
    sweep = result.get("sweep")
    if not sweep or sweep["kept"] is None:
        return []
    kept = sweep["tried"][sweep["kept"]]
    said = _n(
        "Of {count:,} setting tried, this one was kept: learning rate {lr:.2g}, rank {rank}, alpha {alpha:g}.",
        "Of {count:,} settings tried, this one was kept: learning rate {lr:.2g}, rank {rank}, alpha {alpha:g}.",
        count=len(sweep["tried"]),
        lr=kept["lr"],
        rank=kept["r"],
        alpha=kept["alpha"],
    )
    return [said]


def _spent(result: dict[str, Any]) -> list[Part]:
    """What hired hardware took and cost."""
    return [result["hired"]["spent"]] if result.get("hired", {}).get("spent") else []


def rows_line(result: dict[str, Any]) -> Message:
    """What happened to every row."""
    return _(
        "{total} rows: {train} trained on, {validation} choose the checkpoint (validation), {held_out} scored (test), "
        "{left} left out",
        total=result["file_rows"],
        train=result["train_rows"],
        validation=result["validation_rows"],
        held_out=result["eval_rows"],
        left=result["left_out"],
    )


def show_pipeline(result: dict[str, Any]) -> list[Part]:
    parts: list[Part] = [
        _n(
            "{count} task, trained {mode}, {seconds:.1f} s",
            "{count} tasks, trained {mode}, {seconds:.1f} s",
            count=len(result["runs"]),
            mode=MODES[result["mode"]],
            seconds=float(result["seconds"]),
        ),
        *_spent(result),
    ]
    for row in result["runs"]:
        parts.append(_task_line(row))
        parts += row.get("notes", [])
        parts += [score_table(row["metrics"])] if row["metrics"] else []
        parts += [row["error"]] if row.get("error") else []
        parts += _verdicts(row)
    return parts


def _task_line(row: dict[str, Any]) -> Message:
    asked = {"task": row["task"], "state": run_states.word(row["state"])}
    if row["adapter"]:
        return _("{task}: {state} {adapter}", **asked, adapter=row["adapter"])
    return _("{task}: {state}", **asked)


def show_scored(result: dict[str, Any], *, is_good: bool = True) -> list[Part]:
    """The result of `train`, `pipeline` or `compare --test` if it has scores; empty for anything else. is_good: as in
    `show_result`."""
    if "comparisons" in result:
        return show_comparison(result)
    if result.get("metrics"):
        return show_result(result, is_good=is_good)
    if any(row.get("metrics") for row in result.get("runs", ())):
        return show_pipeline(result)
    return []


def show_published(result: dict[str, Any]) -> list[Part]:
    done = _(
        "{adapter} {versions} at {revision}",
        adapter=result["adapter"],
        versions=", ".join(result["versions"]),
        revision=result["revision"][:12],
    )
    missing: list[Said] = [result["rows_missing"]] if result["rows_missing"] else []
    return [done, result["url"], *missing]
