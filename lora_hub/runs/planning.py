"""What a run would be, before it is started: its spec, what stands against it, and what it will take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import BaseModel, DataPart, Mend, Problem, Task, TrainSpec
from lora_hub.evaluation.minimum import check_metrics
from lora_hub.runs.machine import what_is_known
from lora_hub.runs.parents import ParentAdapter, check_labels, find_same_rows, go_on
from lora_hub.runs.parents import check_fits as check_parent
from lora_hub.runs.run_data import split_rows
from lora_hub.training import recipe
from lora_hub.training.few_steps import find_few_steps


@dataclass(frozen=True)
class Plan:
    """A run before it is started: the spec to start, what stands against it, and what it will take. examples: rows that
    can be used, of `planned_rows.PLANNED_ROWS` at most. costs: the same run on rented hardware, the cheapest first."""

    spec: TrainSpec
    inspection: Any
    problems: tuple[Problem, ...]
    examples: int
    estimate: recipe.Estimate
    costs: tuple[Any, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def check(self) -> None:
        """Raises LoraHubError where something stands against the run."""
        if self.errors:
            raise LoraHubError(self.errors[0].said, self.errors[0].advice)


def plan_run(
    file: Path,
    task: Task,
    base: BaseModel,
    *,
    mapping: dict[str, str] | None = None,
    mends: Sequence[Mend] = (),
    effort: str = "balanced",
    overrides: dict[str, Any] | None = None,
    test_file: Path | None = None,
    name: str = "",
    dataset_name: str = "",
    publish_to: str = "",
    publish_private: bool = False,
    share_rows: bool = False,
    minimum: dict[str, float] | None = None,
    parent: ParentAdapter | None = None,
    parts: Sequence[DataPart] = (),
    reading: dict[str, Any] | None = None,
    inspector: Any = None,
) -> Plan:
    """Reads and checks the data, and plans a run on it (`plan_inspected`, which has the other arguments). mapping: the
    roles that the person chose. mends: done after reading. reading: encoding, delimiter, sheet, skip_broken. inspector:
    one that may have read the file already. parent: the adapter that it goes on from, whose task the file is read for.
    Raises DataError or SpecError for what can't be trained on at all."""
    from lora_hub.data.inspector import Inspector

    inspector = inspector or Inspector()
    task = recipe.with_language(task, overrides or {})
    kept = store.add_dataset(file, dataset_name)
    seen = inspector.inspect(kept, task, mapping, mends=mends, name=dataset_name or kept.name, **(reading or {}))
    return plan_inspected(
        seen,
        base,
        mapping=mapping,
        effort=effort,
        overrides=overrides,
        test_file=test_file,
        name=name,
        publish_to=publish_to,
        publish_private=publish_private,
        share_rows=share_rows,
        minimum=minimum,
        parent=parent,
        parts=parts,
        inspector=inspector,
    )


def plan_inspected(
    seen: Any,
    base: BaseModel,
    *,
    mapping: dict[str, str] | None = None,
    effort: str = "balanced",
    overrides: dict[str, Any] | None = None,
    test_file: Path | None = None,
    name: str = "",
    publish_to: str = "",
    publish_private: bool = False,
    share_rows: bool = False,
    minimum: dict[str, float] | None = None,
    parent: ParentAdapter | None = None,
    parts: Sequence[DataPart] = (),
    inspector: Any,
) -> Plan:
    """Derives the spec of a run on a kept file; nothing is started. seen: its Inspection, by this inspector. mapping:
    the roles that the person chose, for a test file too. minimum: what the adapter has to reach to be published
    (minimum.py). parent: the adapter that it goes on from, whose task the inspection is for. parts: the files that the
    kept one was put together from. Raises DataError or
    SpecError for what can't be trained on at all; lesser problems are in the plan."""
    from lora_hub.data.checks import check_held_out, checks
    from lora_hub.data.columns import columns
    from lora_hub.data.mending import check_mends
    from lora_hub.data.mending.mends import for_test
    from lora_hub.data.planned_rows import PlannedRows

    columns.check_mapping(seen.table, seen.task, seen.mapping)
    examples, task = seen.planned.examples, seen.planned.task
    test_info, test_mapping, test_table, test_done, leaks = None, {}, seen.table.test, [], []
    tested = PlannedRows(test_table, task, seen.mapping) if test_table is not None else None
    if test_file is not None:
        test_kept = store.add_dataset(test_file)
        chosen = {
            role: column
            for role, column in (mapping or {}).items()
            if column in inspector.read(test_kept, is_test=True).columns
        }
        test_seen = inspector.inspect(test_kept, task, chosen, mends=for_test(seen.info.mends), is_test=True)
        columns.check_mapping(test_seen.table, task, test_seen.mapping)
        tested, test_info, test_mapping, test_table, test_done = (
            test_seen.planned,
            test_seen.info,
            test_seen.mapping,
            test_seen.table,
            test_seen.done,
        )
        found = checks.find_overlap(task, seen.table, seen.mapping, test_table, test_mapping)
        found += checks.find_unseen(task, seen.table, seen.mapping, test_table, test_mapping)
        leaks = [
            *(problem for problem in test_seen.table.problems if problem.code == "test-part"),
            *(one.problem for one in found),
        ]
    spec = recipe.make_spec(
        task,
        base,
        seen.info.model_copy(update={"parts": tuple(parts)}),
        seen.mapping,
        effort=effort,
        overrides=overrides,
        test_dataset=test_info,
        test_mapping=test_mapping,
        name=name,
        publish_to=publish_to,
        publish_private=publish_private,
        share_rows=share_rows,
        minimum=minimum,
    )
    check_metrics(spec.minimum, task)
    if parent is not None:
        check_parent(parent, task, base)
        check_labels(parent, task, {example.answer for example in examples})
        spec = go_on(spec, parent, {recipe.find_key(key): value for key, value in (overrides or {}).items()})
    # The split is tried here, so that too few rows are told before anything is started.
    split, _leaked = split_rows(spec, task, examples, tested.all_examples() if tested is not None else None)
    scored = len(split.test)
    own_test = test_table.rows if test_table is not None and test_file is None else 0
    seen = inspector.with_lengths(seen, base, spec.max_length)
    again = [*check_held_out.check_held_out(scored), *check_mends.find_idle(seen.done, test_done)]
    known = (check_held_out.CODE, check_mends.CODE)
    problems = [
        *(found.problem for found in again),
        *(problem for problem in seen.problems if problem.code not in known),
    ]
    told = {"problems": tuple(problems), "test_rows": own_test, "parts": tuple(parts)}
    spec = spec.model_copy(update={"dataset": seen.info.model_copy(update=told)})
    tokens_row = tokens_per_row(seen, examples, task)
    estimate = recipe.estimate(spec, tokens_row=tokens_row, **what_is_known(base))
    told_first = find_few_steps(spec, estimate.steps)
    if parent is not None:
        told_first += find_same_rows(parent, spec.dataset, spec.test_dataset is not None)
    costs = tuple(recipe.estimate_costs([(spec, tokens_row)]))
    return Plan(
        spec=spec,
        inspection=seen,
        problems=(*leaks, *told_first, *problems),
        examples=len(examples),
        estimate=estimate,
        costs=costs,
    )


def tokens_per_row(seen: Any, examples: list[Any], task: Task, sample: int = 200) -> float:
    """Mean tokens of prompt and answer: counted with the base's own tokenizer where it lies on this disk, else
    estimated from the bytes (about 4 a token in Latin script, 5 in Persian)."""
    from lora_hub.data.prompts import template

    if seen.tokens_row:
        return seen.tokens_row
    step = max(1, len(examples) // sample)
    texts = []
    for example in examples[::step][:sample]:
        prompt = (
            "\n".join(m["content"] for m in example.inputs["messages"])
            if task.is_chat
            else template.render_prompt(task, example.inputs)
        )
        texts.append(prompt + " " + example.answer)
    return sum(len(text.encode()) / 4.5 for text in texts) / max(1, len(texts)) + 8
