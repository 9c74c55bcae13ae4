"""The functions on the road from data to a trained adapter: read it, plan, train, watch, cancel.

`Endpoints` has them beside its own; what is said there holds here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub import use_cases
from lora_hub.api.arguments import Arguments, Columns, Fields, Mends, Name, Tasks
from lora_hub.api.faults import failure_of
from lora_hub.api.given import open_named
from lora_hub.api.measuring import Measuring
from lora_hub.api.plain import in_english
from lora_hub.api.training_call import TrainingAsked, takes_training
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings
from lora_hub.core.errors import DataError, LoraHubError, SpecError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Task
from lora_hub.people import Person

TRAINING = ("inspect", "plan", "train", "pipeline", "runs", "run", "cancel")
Json = dict[str, Any]


@dataclass(frozen=True)
class Training(Measuring):
    """Its functions are called on `Endpoints`."""

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
        problems = in_english(seen.problems)
        return {"dataset": _id_of(kept), **in_english(seen.to_json()), "problems": problems}

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
        from lora_hub.works_in import marks_of_spec

        explained = recipe.explain(made.spec)
        return {
            "dataset": _id_of(kept),
            "task": made.spec.task.id,
            "can_start": not made.errors,
            "problems": in_english(made.problems),
            "settings": [{"key": key, "value": value, "why": in_english(why)} for key, value, why in explained],
            "estimate": made.estimate.to_json(),
            "works_in": [in_english(mark.to_json()) for mark in marks_of_spec(made.spec)],
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

    def pipeline(
        self,
        person: Person,
        tasks: Tasks,
        base: Name = "built-in",
        effort: Name = "balanced",
        publish: bool = False,
        private: bool = False,
        hardware: Name = "",
    ) -> Json:
        """Starts the trainings of several tasks on one base, in one go, and answers with their runs at once. A task
        that cannot be trained fails alone.

        Args:
            tasks: 1 to 16 trainings, each with what `train` takes of its own: dataset, task, own_task, columns, mends,
                overrides, test_dataset, adapter.
            base: the base model of all: built-in, or a Hub id.
            effort: quick, balanced or thorough.
            publish: publish each adapter to the organization as soon as it is scored.
            private: only the organization sees what is published.
            hardware: train all as one job of the Hub on hardware such as t4-small, at your own cost; empty: on this
                machine.
        """
        shared = {"base": base, "effort": effort, "hardware": hardware}
        where = {"publish_to": settings.organization() if publish else "", "publish_private": private}
        planned = [self._plan_task(person, fields, shared, where) for fields in read_tasks(tasks)]
        plans = [one for one in planned if not isinstance(one, LoraHubError)]
        if not plans:
            raise planned[0]
        work = [(plan.spec, plan.estimate.tokens_row) for plan in plans]
        hired = use_cases.hire(person, work, hardware) if hardware else None
        specs = [plan.spec for plan in plans]
        started = iter(use_cases.start_runs(person, specs, room=self.room, hired=hired))
        runs = [
            {"run": "", "state": "failed", "failure": failure_of(one)}
            if isinstance(one, LoraHubError)
            else self.run(person, next(started).id)
            for one in planned
        ]
        return {"runs": runs, "hired": in_english(hired) if hired else None}

    def _plan_task(self, person: Person, fields: Json, shared: Json, where: Json) -> Any:
        """The plan of a pipeline's task, or why there is none."""
        name = fields.pop("adapter", "")
        try:
            asked = TrainingAsked(**fields, **shared)
            made = self._planned(person, self._kept(person, None, "", "", asked.dataset), asked, name=name, **where)
            made.check()
            return made
        except LoraHubError as error:
            return error

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


# What `train` takes and a pipeline's task does not: it is said once for all.
_OF_A_TASK = Arguments(Training.train, without=("base", "effort", "hardware", "publish", "private"))


def read_tasks(tasks: list[Json]) -> list[Json]:
    """The arguments of each task. Raises SpecError that names the first wrong one, before anything is done."""
    read = []
    for number, fields in enumerate(tasks, 1):
        try:
            read.append(_OF_A_TASK(fields))
        except SpecError as error:
            where = _("Task {number} of the pipeline", number=number)
            raise SpecError(_("{where}: {said}", where=where, said=error.said), error.advice) from None
    return read
