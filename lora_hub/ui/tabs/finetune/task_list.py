"""Step 5's list: the tasks added with *Add task*, to be trained together on one base.

    entries = read_entries(kept)                     as the browser stored them; invalid entries are dropped
    entries = add_entry(entries, asked, view.spec, view.hired, view.estimate)   the current form
    prices(entries)                                  what each job would cost that trains some of them
    takes(entries)                                   what those of this machine take in one go
    stand(entries, asked, view, "en").can_train      what Train and Add task may do now, and how many tasks Train would
                                                     train
    plan_entries(person, entries, "en", inspector)   plans each one again: the views of those to start, and entries with
                                                     the reason if they cannot be trained

Knows no gradio. An entry contains what the form asked, never a token.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pydantic import ValidationError

from lora_hub import runs
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Hired, TrainSpec
from lora_hub.people import Person
from lora_hub.training import recipe
from lora_hub.training.recipe import Estimate
from lora_hub.ui.render.render import told
from lora_hub.ui.render.text import number, t
from lora_hub.ui.tabs.finetune.asked import OWN, Asked, read_task
from lora_hub.ui.tabs.finetune.form import OWN_DEFAULTS
from lora_hub.ui.tabs.finetune.review import review
from lora_hub.ui.tabs.finetune.view import View

# The most adapters that one process was tested with; each has its own optimizer state.
MOST = 16
# Of what a browser says a job would cost.
MOST_FIGURE = 1e9
# And of what a run takes: bytes, too; and seconds, less than which not even its start takes.
MOST_TOLD, LEAST_SECONDS = 1e15, 1.0


@dataclass(frozen=True)
class Entry:
    """One task on the list. rows, adapter: as they were when it was added, for display. message, hint: why it can no
    longer be trained; empty if it can. edited: it is in the form again, and its place is kept. hired: what it would
    cost alone on the hardware that was chosen for it; None: this machine. estimate: what it takes alone there."""

    asked: Asked
    rows: int = 0
    adapter: str = ""
    message: str = ""
    hint: str = ""
    edited: bool = False
    hired: Hired | None = None
    estimate: Estimate | None = None

    @property
    def id(self) -> str:
        return hashlib.sha256(json.dumps(_same(self.asked), sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        hired = self.hired.model_dump(mode="json") if self.hired else None
        return {**asdict(self), "asked": self.asked.to_json(), "hired": hired}


@dataclass(frozen=True)
class Standing:
    """count: tasks that Train would train. reason: what the page says beside it. is_ready: nothing is missing."""

    count: int
    can_add: bool
    reason: str
    is_ready: bool

    @property
    def can_train(self) -> bool:
        return self.count > 0


def read_entries(data: Any) -> list[Entry]:
    """The list as the browser stored it. All entries get the first one's base."""
    found: dict[str, Entry] = {}
    for one in data if isinstance(data, list) else []:
        if not isinstance(one, dict):
            continue
        asked = Asked.from_json(one.get("asked"))
        if not asked.task or not asked.dataset:
            continue
        words = {key: one[key] for key in ("adapter", "message", "hint") if isinstance(one.get(key), str)}
        rows = one["rows"] if type(one.get("rows")) is int else 0
        entry = Entry(asked, rows, **words, hired=_read_hired(one), estimate=_read_estimate(one))
        is_first = one.get("edited") is True and not any(other.edited for other in found.values())
        found.setdefault(entry.id, replace(entry, edited=is_first))
    entries = list(found.values())[:MOST]
    base = entries[0].asked.base if entries else ""
    return [
        entry if entry.asked.base == base else replace(entry, asked=replace(entry.asked, base=base), estimate=None)
        for entry in entries
    ]


def _read_hired(one: dict[str, Any]) -> Hired | None:
    try:
        hired = Hired.model_validate(one.get("hired"))
    except ValidationError:
        return None
    figures = (hired.hourly, hired.expected_seconds, hired.expected_dollars, hired.most_seconds, hired.setup_seconds)
    return hired if all(0 <= figure < MOST_FIGURE for figure in figures) else None


def _read_estimate(one: dict[str, Any]) -> Estimate | None:
    told, names = one.get("estimate"), [of.name for of in fields(Estimate)]
    if not isinstance(told, dict) or set(told) != set(names):
        return None
    known = all(type(told[name]) in (int, float) and 0 <= told[name] < MOST_TOLD for name in names)
    return Estimate(**told) if known and told["seconds"] >= LEAST_SECONDS else None


def on_base_of(entries: list[Entry], asked: Asked) -> Asked:
    """The form with the list's base, if there is a list."""
    return replace(asked, base=entries[0].asked.base) if entries else asked


def waiting(entries: list[Entry]) -> list[Entry]:
    """The entries that are trained as they are: all but the one being edited."""
    return [entry for entry in entries if not entry.edited]


def is_begun(asked: Asked) -> bool:
    """Whether the form has unsaved work: a file, or the typed fields of a custom task."""
    typed = (
        {key for key, value in asked.own.items() if value.strip() and value != OWN_DEFAULTS.get(key)}
        if asked.task == OWN
        else set()
    )
    return bool(asked.dataset or typed - {"output"})


def is_listed(entries: list[Entry], asked: Asked) -> bool:
    return Entry(asked).id in [entry.id for entry in entries]


def add_entry(
    entries: list[Entry], asked: Asked, spec: TrainSpec, hired: Hired | None = None, estimate: Estimate | None = None
) -> list[Entry]:
    """The list with the form's task, in the place of the entry being edited or else at the end. Raises SpecError if the
    list is full."""
    from lora_hub.hub import repo_name

    others = waiting(entries)
    if is_listed(others, asked):
        return others
    if len(others) >= MOST:
        raise SpecError(
            _("{count} tasks are on the list; {most} are trained in one go at most."),
            _("Train these first."),
            count=len(others),
            most=MOST,
        )
    new = Entry(asked, spec.dataset.rows, repo_name(spec), hired=hired, estimate=estimate)
    return [*entries, new] if len(others) == len(entries) else [new if one.edited else one for one in entries]


def prices(entries: list[Entry], form: Hired | None = None) -> list[Hired]:
    """What each job would cost that trains several of the list. form: of the task in the form, which is trained with
    them."""
    found: dict[str, list[Hired]] = {}
    for hired in (form, *(entry.hired for entry in waiting(entries) if not entry.message)):
        if hired is not None:
            found.setdefault(hired.flavor, []).append(hired)
    return [runs.together(each) for each in found.values() if len(each) > 1]


def takes(entries: list[Entry], form: Estimate | None = None) -> Estimate | None:
    """What the list's tasks take in one go on this machine; None where fewer than two are known. form: of the task in
    the form, which is trained with them."""
    listed = [entry.estimate for entry in waiting(entries) if not entry.message and entry.hired is None]
    found = [one for one in (form, *listed) if one is not None]
    return recipe.estimate_together(found) if len(found) > 1 else None


def take_up(entries: list[Entry], chosen: Entry) -> list[Entry]:
    """The list with this entry marked as being edited."""
    return [replace(entry, edited=entry.id == chosen.id) for entry in entries]


def put_down(entries: list[Entry]) -> list[Entry]:
    """The list with no entry being edited: each one is unchanged."""
    return [replace(entry, edited=False) for entry in entries]


def stand(entries: list[Entry], asked: Asked, view: View, language: str) -> Standing:
    """What can be done with the list and the current form."""
    entries = waiting(entries)
    listed = is_listed(entries, asked)
    own = view.ready and not listed
    count = sum(not entry.message for entry in entries) + own
    if not entries:
        return Standing(
            count, own, view.reason or view.doubt or t(_("Ready."), language), view.ready and not view.doubt
        )
    on_list = (
        t(_("One task is on the list."), language)
        if len(entries) == 1
        else t(_("{count} tasks are on the list."), language, count=number(len(entries), language))
    )
    if listed:
        return Standing(count, False, t(_("The task in the form is on the list already."), language), count > 0)
    if own:
        return Standing(
            count,
            len(entries) < MOST,
            view.doubt or t(_("Ready. The task in the form is trained with those on the list."), language),
            not view.doubt,
        )
    if asked.task or asked.dataset:
        return Standing(
            count,
            False,
            t(_("{on_list} The one in the form is not ready: {reason}"), language, on_list=on_list, reason=view.reason),
            False,
        )
    return Standing(
        count, False, t(_("{on_list} Fill the form for the next one, or train."), language, on_list=on_list), count > 0
    )


def train_words(count: int, entries: list[Entry], language: str) -> str:
    """The label of Train."""
    if not entries or not count:
        return t(_("Train"), language)
    return (
        t(_("Train 1 task"), language)
        if count == 1
        else t(_("Train {count} tasks"), language, count=number(count, language))
    )


def add_words(entries: list[Entry], language: str) -> str:
    """The label of Add task. While an entry is edited, the button puts the form back in its place."""
    return t(_("Add task") if waiting(entries) == entries else _("Save task"), language)


def plan_entries(person: Person, entries: list[Entry], language: str, inspector: Any) -> tuple[list[View], list[Entry]]:
    """Plans every entry again, with this person's rights. Returns the views of those that can be trained, in order, and
    all entries, with the reason for those that cannot. The entry being edited is planned in the form."""
    ready, planned = [], []
    for entry in entries:
        if entry.edited:
            planned.append(entry)
            continue
        view = review(person, entry.asked, language, inspector)
        if view.ready and view.spec is not None:
            ready.append(view)
            planned.append(replace(entry, rows=view.spec.dataset.rows, message="", hint=""))
        else:
            message, hint = told(view.error, language) if view.error else (view.reason, "")
            planned.append(replace(entry, message=message, hint=hint))
    return ready, planned


def title_of(asked: Asked, language: str) -> str:
    """The title of an entry's task, or its id if the task is no longer known."""
    try:
        task = read_task(asked)
    except LoraHubError:
        task = None
    return text_in(task.title, language) if task else asked.own.get("title") or asked.task


def _same(asked: Asked) -> dict[str, Any]:
    """The key by which two entries are the same. It leaves out the base, which they share, who proposed the task, and
    fields that a catalogue task does not use."""
    data = asked.to_json()
    data["own"] = asked.own if asked.task == OWN else {}
    data["overrides"] = asked.settings()
    return {**data, "base": "", "proposed": "", "name": asked.name.strip(), "encoding": asked.encoding.strip()}
