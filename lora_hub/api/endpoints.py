"""The functions that programs call, by HTTP (ui/frame/programs.py) or as tools of an MCP server (mcp_door.py).

Each is one public endpoint of the same name. Arguments and results are plain JSON; the results are those of the shell's
`--json`, sentences in English. Every function is called with the person whose token the program sends. Docstrings,
defaults and annotations are what programs read of them.

The road: `inspect` takes the data and answers with its id (`dataset`), `plan` says what a training would be, `train`
starts it and answers with its run, `run` tells how that goes, `publish` shares its adapter, `compare` asks it. What
measures adapters against each other is in `measuring`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub import use_cases
from lora_hub.api.arguments import (
    Columns,
    Examples,
    Fields,
    Mends,
    Name,
    Part,
    Samples,
    Seed,
    Share,
    Strength,
    Temperature,
    Tokens,
)
from lora_hub.api.asking import compared
from lora_hub.api.given import open_named
from lora_hub.api.measuring import MEASURING, Measuring
from lora_hub.api.plain import in_english
from lora_hub.api.training_call import TrainingAsked, takes_training
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import routing
from lora_hub.core import settings
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import MOST_ADAPTERS, Task, ask_question
from lora_hub.people import Person

NAMES = (
    *("inspect", "plan", "train", "runs", "run", "cancel", "publish", "adapters", "compare", "route"),
    *MEASURING,
)
# A question to more adapters is refused before anything is read.
Json = dict[str, Any]


@dataclass(frozen=True)
class Endpoints(Measuring):
    """The public functions."""

    def inspect(
        self,
        person: Person,
        file: Path | None = None,
        text: str = "",
        name: Name = "",
        dataset: Name = "",
        task: Name = "",
        own_task: Fields | None = None,
        columns: Columns | None = None,
        mends: Mends | None = None,
        base: Name = "built-in",
    ) -> Json:
        """How data is read, which column is what, what is wrong with it, and the first rows as the model will see them.
        Nothing is trained. The answer has the data's id (`dataset`) for the other functions.

        Args:
            file: an uploaded file (CSV, JSONL, Excel, Parquet, ...).
            text: the data itself, instead of a file.
            name: what a text is called, with the ending of its format: rows.csv.
            dataset: an id from an earlier answer, or owner/name of a dataset on the Hub, instead of a file.
            task: a task's id, such as spam; empty: proposed from the columns.
            own_task: a task of your own as its fields: title, instruction, inputs, output, labels.
            columns: role -> column, such as {"text": "message", "answer": "label"}; the others are proposed.
            mends: what a problem offers, such as duplicates, or relabel:0=no,1=yes.
            base: the base model, in whose tokens lengths are counted.
        """
        kept = self._kept(person, file, text, name, dataset)
        seen = self._inspected(person, kept, _task(task, own_task), columns, mends, use_cases.find_base(person, base))
        return {"dataset": _id_of(kept), **in_english(seen.to_json())}

    @takes_training
    def plan(self, person: Person, asked: TrainingAsked) -> Json:
        """What a training would be: every setting with its reason, the time and memory it takes, and what stands
        against it. Nothing is trained.

        Args:
            hardware: also what it would cost as a job of the Hub on this hardware, such as t4-small.
        """
        kept = self._kept(person, None, "", "", asked.dataset)
        made = self._planned(person, kept, asked)
        hired = _hire(person, made, asked.hardware)
        from lora_hub.training import recipe

        explained = recipe.explain(made.spec)
        return {
            "dataset": _id_of(kept),
            "task": made.spec.task.id,
            "can_start": not made.errors,
            "problems": [problem.to_json() for problem in made.problems],
            "settings": [{"key": key, "value": value, "why": in_english(why)} for key, value, why in explained],
            "estimate": made.estimate.to_json(),
            "hired": in_english(hired) if hired else None,
        }

    @takes_training
    def train(
        self, person: Person, asked: TrainingAsked, adapter: Name = "", publish: bool = False, private: bool = False
    ) -> Json:
        """Starts a training and answers with its run at once; `run` tells how it goes.

        Args:
            adapter: the adapter's name; empty: made from task and base.
            publish: publish the adapter to the organization as soon as it is scored.
            private: only the organization sees what is published.
            hardware: train as a job of the Hub on hardware such as t4-small, at your own cost; empty: on this machine.
        """
        kept = self._kept(person, None, "", "", asked.dataset)
        where = {
            "name": adapter,
            "publish_to": settings.organization() if publish else "",
            "publish_private": private,
        }
        made = self._planned(person, kept, asked, **where)
        made.check()
        hired = _hire(person, made, asked.hardware)
        started = use_cases.start_run(person, made.spec, room=self.room, hired=hired)
        return {"dataset": _id_of(kept), **self.run(person, started.id)}

    def runs(self, person: Person) -> Json:
        """The runs that you may see, the newest first."""
        from lora_hub.runs import run_json

        return {"runs": [in_english(run_json.run_row(one)) for one in use_cases.list_runs(person)]}

    def run(self, person: Person, run: Name) -> Json:
        """What a run is doing, what comes next, and its scores once it has any.

        Args:
            run: the run's id.
        """
        from lora_hub.runs import run_json

        found = use_cases.refresh_run(person, run)
        told = in_english(run_json.run_details(found))
        # Where the adapter lies on this machine concerns only who sits at it.
        return told if found.adapter or person.is_local else {**told, "adapter": ""}

    def cancel(self, person: Person, run: Name) -> Json:
        """Ends a run. Its checkpoints stay, so that it can be resumed.

        Args:
            run: the run's id.
        """
        use_cases.cancel_run(person, run)
        return self.run(person, run)

    def publish(
        self, person: Person, run: Name, name: Name = "", organization: Name = "", private: bool = False
    ) -> Json:
        """Publishes a run's adapter, as you. Publishing the same again makes no new version.

        Args:
            run: the run's id.
            name: the repository's name; empty: the adapter's.
            organization: where to; empty: this app's organization.
            private: only the organization sees it.
        """
        made = use_cases.publish_run(person, run, org=organization, name=name, private=private)
        return {**made.ref.model_dump(mode="json"), "run": run, "adapter": made.ref.repo_id, "is_new": made.is_new}

    def adapters(self, person: Person, organization: Name = "", task: Name = "", base: Name = "") -> Json:
        """The published adapters of an organization, with their scores and versions.

        Args:
            organization: whose; empty: this app's organization.
            task: only of this task.
            base: only of this base.
        """
        owner = organization or settings.organization()
        found = use_cases.list_adapters(person, org=owner, task=task, base=base, versions=True)
        return {"organization": owner, "adapters": [one.model_dump(mode="json") for one in found]}

    def route(self, person: Person, text: str, base: Name = "built-in", organization: Name = "") -> Json:
        """The organization's adapter that a bare question is for, and why; none where none fits and the base answers.

        Args:
            text: the question.
            base: whose adapters: built-in, or a Hub id.
            organization: whose; empty: this app's organization.
        """
        found = use_cases.route(person, self.comparer, text, base, organization)
        return {**found.model_dump(mode="json"), "said": in_english(routing.said(found))}

    def compare(
        self,
        person: Person,
        adapters: list[Name],
        prompt: str = "",
        inputs: dict[Name, str] | None = None,
        with_base: bool = True,
        max_new_tokens: Tokens = 0,
        temperature: Temperature = 0.0,
        seed: Seed = 0,
        free_text: bool = False,
        examples: Examples = 0,
        top_p: Share = 1.0,
        samples: Samples = 1,
        strengths: dict[Name, Strength] | None = None,
        system: Part = "",
        earlier: Fields | None = None,
        keep: bool = False,
        blind: bool = False,
    ) -> Iterator[Json]:
        """The answers of a base and its adapters to one question, side by side, as they grow: the last one is complete.

        Args:
            adapters: 1 to 8 repositories (owner/name, owner/name@version) or runs; auto: the organization's adapter
                that the prompt is for, or the base where none fits (the answer's note says why).
            prompt: the question; of a task with several inputs give inputs instead.
            inputs: role -> text.
            with_base: answer with the base, too.
            max_new_tokens: the longest answer; 0: what the task says.
            temperature: 0: the most likely answer, always the same.
            seed: of the sampling.
            free_text: let tasks with labels answer in their own words, too.
            examples: ask the base with so many examples in its prompt, too.
            top_p: draw from the likeliest tokens of this share.
            samples: so many answers of each, at a temperature above 0.
            strengths: adapter -> 0 (the base) to 1.2; 1: as it was trained.
            system: ask as a chat, with this system prompt.
            earlier: the chat's earlier turns, by adapter ("base", "base_examples"): a list of role and content each.
            keep: keep it in your history, as the page does; the last answer has its id (`comparison`).
            blind: keep it, and answer once, without names and in an order of its own, for `vote`.
        """
        if not adapters or len(adapters) > MOST_ADAPTERS:
            raise SpecError(
                _("{count} adapters were named.", count=len(adapters)),
                _("Name 1 to {most} of them.", most=MOST_ADAPTERS),
            )
        yield from compared(
            person,
            self.comparer,
            list(adapters),
            ask_question(
                base=with_base,
                prompt=prompt,
                inputs=inputs or None,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                free_text=free_text,
                examples=examples,
                top_p=top_p,
                samples=samples,
                strengths=strengths or {},
                system=system,
                earlier=earlier or {},
            ),
            keep=keep,
            blind=blind,
        )

    def _kept(self, person: Person, file: Path | None, text: str, name: str, dataset: str) -> Path:
        """The file in our store. Raises DataError if none or several are given."""
        if [file is not None, bool(text), bool(dataset)].count(True) != 1:
            raise DataError(_("There has to be one source of data."), _("Give one of: file, text, dataset."))
        if file is not None:
            return use_cases.add_dataset(person, file, name or file.name)
        if text:
            return use_cases.add_text(person, text, name or "rows.csv")
        return open_named(person, dataset)

    def _inspected(
        self, person: Person, kept: Path, task: Task | None, columns: dict[str, str] | None, mends: Any, base: Any
    ) -> Any:
        from lora_hub.data.mending.mend_arguments import parse_mends

        use_cases.read_dataset(person, self.looker, kept)
        parsed = parse_mends(mends or [], self.looker, kept, task, columns, base)
        return use_cases.inspect_dataset(
            person, self.looker, kept, task, columns, mends=parsed, base=base, name=kept.name
        )

    def _planned(self, person: Person, kept: Path, asked: TrainingAsked, **where: Any) -> Any:
        """where: the adapter's name, and where it is published."""
        from lora_hub.training import recipe

        task = _task(asked.task, asked.own_task)
        model, given = use_cases.find_base(person, asked.base), dict(asked.overrides or {})
        use_cases.check_base(person, model)
        task = recipe.with_language(task, given) if task is not None else None
        return use_cases.plan_inspected(
            person,
            self._inspected(person, kept, task, asked.columns, asked.mends, model),
            model,
            mapping=asked.columns,
            effort=asked.effort,
            overrides=given,
            test_file=use_cases.open_dataset(person, asked.test_dataset) if asked.test_dataset else None,
            inspector=self.looker,
            **where,
        )


def _hire(person: Person, made: Any, hardware: str) -> Any:
    """The hardware that a plan's training would be hired on; None: this machine's."""
    return use_cases.hire(person, [(made.spec, made.estimate.tokens_row)], hardware) if hardware else None


def _task(task: str, own_task: dict[str, Any] | None) -> Task | None:
    """A task by its id, or by its fields. The path of a file is none: it would be one of this machine."""
    if own_task:
        if task:
            raise SpecError(_("There are two tasks: {task!r} and one of your own.", task=task), _("Give one of them."))
        return catalogue.task_from_dict(own_task)
    if not task:
        return None
    known = [one.id for one in catalogue.list_tasks()]
    if task not in known:
        raise SpecError(
            _("There is no task {name!r}."),
            _("Choose one of: {choices}; or write a task of your own."),
            name=task[:200],
            choices=several(known),
        )
    return catalogue.get_task(task)


def _id_of(kept: Path) -> str:
    return f"{kept.parent.name}/{kept.name}"
