"""The ways to add a dataset in step 2: dropped, the task's sample, pasted, from the Hub.

A token for the Hub is used in one call only; its field is cleared at once.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import AccessError, DataError
from lora_hub.core.messages import _
from lora_hub.people import Person
from lora_hub.ui.frame.asking import has_sent
from lora_hub.ui.frame.page import LIGHT, Page, told, told_stream
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.finetune.asked import MAX_FILES, OWN, dataset_id, read_part, read_parts
from lora_hub.ui.tabs.finetune.data_arrival import fetched, proposed_task
from lora_hub.ui.tabs.finetune.data_room import Room, renewed
from lora_hub.ui.tabs.finetune.form import read_json

# While a file that may propose a task is read, no task can be chosen, so that the proposal cannot overwrite a choice.
HOLD_TASK = "(...values) => { window.loraHub.hold('task', '#lh-task'); return values; }"
FOCUS = (
    "(way) => { document.querySelector("
    "way === 'paste' ? '#lh-pasted textarea' : '#lh-hub-name :is(input, textarea)')?.focus(); }"
)
FILES: dict[str, Any] = {
    "concurrency_id": "files",
    "concurrency_limit": 4,
    "api_visibility": "private",
    "show_progress": "hidden",
}


class Ways:
    """The handlers of step 2 and their wiring. task: the radio of step 1, which a file's columns may set."""

    def __init__(self, page: Page, room: Room, task: gr.Radio) -> None:
        self.page, self.room, self.task = page, room, task

    def wire(self, with_look: Callable[..., dict[str, Any]]) -> tuple[list[Any], list[Any]]:
        """Wires the handlers. Returns the events after which the file has to be inspected, and those that already
        inspect it in the same round trip. with_look(take, inputs, outputs) makes the arguments of such an event. Its
        handler is `take`, a function of the language and the inputs' values that returns {component: value}; the new
        file is then shown with them."""
        room, proposing = self.room, [self.task, self.room.proposed]
        fresh, tests = room.renewed(), [room.test, room.test_file]
        listed = [room.file, *proposing, room.dataset, room.parts, room.uploads]
        # More files beside those that are there, and one of several taken away.
        dropped = gr.on(
            [room.file.upload, room.file.delete],
            **with_look(self.take_files, listed, [*proposing, room.uploads, *tests]),
            js=HOLD_TASK,
        )
        sampled = room.sample.click(**with_look(self.take_sample, [self.task, room.dataset], [room.file, *tests]))
        closing = [room.paste_note, room.file, room.way, room.paste_box, room.pasted]
        pasted = room.use_pasted.click(
            **with_look(self.take_pasted, [room.pasted, *proposing, room.dataset], [*proposing, *closing, *tests]),
            js=HOLD_TASK,
        )
        cleared = room.file.clear(lambda: [*renewed(""), "", None], None, [*fresh, *tests], api_visibility="private")
        brought = gr.on(
            [room.fetch.click, room.hub_name.submit, room.hub_token.submit],
            told_stream(self.take_from_hub),
            [self.page.language, room.hub_name, room.hub_token, room.dataset],
            [room.hub_note, room.fetch, room.hub_token, *fresh, room.file, *tests],
            **{**FILES, "concurrency_id": "fetch", "trigger_mode": "once"},
        ).then(
            told(self.guess_fetched), [self.page.language, room.dataset, *proposing], proposing, js=HOLD_TASK, **FILES
        )
        tested = gr.on(
            [room.test_file.upload, room.test_file.clear],
            told(self.take_test),
            [self.page.language, room.test_file],
            room.test,
            **FILES,
            trigger_mode="always_last",
        )
        for button, name in ((room.paste, "paste"), (room.hub, "hub")):
            opening = button.click(_toggle(name), room.way, [room.way, room.paste_box, room.hub_box], **LIGHT)
            opening.then(None, room.way, None, js=FOCUS)
        return [cleared, brought, tested], [dropped, sampled, pasted]

    def take_files(
        self,
        person: Person,
        language: str,
        paths: list[str] | None,
        task_id: str | None,
        proposed: str,
        before: str,
        parts: str,
        uploads: str,
    ) -> dict[Any, Any]:
        """All files that the page lists: one, or several that become one dataset. Those that were there before keep
        their weights, also while they were alone. before, parts, uploads: the hidden fields, as they are."""
        room = self.room
        if not paths:  # the last one was taken away
            return dict(zip(room.renewed(), renewed(""), strict=True)) | {room.test: "", room.test_file: None}
        if len(paths) > MAX_FILES:
            raise DataError(
                _("{count} files are too many for one dataset.", count=len(paths)),
                _("Put them into {most} files at most.", most=MAX_FILES),
            )
        known, weights = _read_uploads(uploads)
        names = {path: _stored(person, known.get(path, "")) or dataset_id(_take(person, path)) for path in paths}
        kept = list(dict.fromkeys(names.values()))
        weights |= {part["dataset"]: part["weight"] for part in read_parts(read_json(parts, []))}
        told = {path: {"dataset": name, "weight": weights.get(name, 1.0)} for path, name in names.items()}
        together = [{"dataset": name, "weight": weights.get(name, 1.0)} for name in kept] if len(kept) > 1 else []
        new = self._new_file(kept[0], "" if before in kept else before)
        new |= {room.parts: json.dumps(together), room.uploads: json.dumps(told)}
        return new | self._guess(person, use_cases.open_dataset(person, kept[0]), task_id, proposed, language)

    def take_sample(self, person: Person, language: str, task_id: str, before: str) -> dict[Any, Any]:
        file = catalogue.sample_file(catalogue.get_task(task_id))
        if file is None:
            return {}
        kept = dataset_id(use_cases.add_dataset(person, file, file.name))
        return {**self._new_file(kept, before), self.room.file: None}

    def take_pasted(
        self, person: Person, language: str, text: str, task_id: str | None, proposed: str, before: str
    ) -> dict[Any, Any]:
        room = self.room
        try:
            kept = use_cases.add_text(person, text or "", "pasted.tsv" if "\t" in (text or "") else "pasted.csv")
        except (DataError, AccessError) as error:
            return {room.paste_note: render.error_card(error, language)}
        closed = {
            room.paste_note: "",
            room.file: None,
            room.way: "",
            room.paste_box: gr.Column(visible=False),
            room.pasted: "",
        }
        return (
            self._new_file(dataset_id(kept), before) | closed | self._guess(person, kept, task_id, proposed, language)
        )

    def take_test(self, language: str, path: str | None, *, person: Person) -> str:
        return dataset_id(_take(person, path)) if path else ""

    def take_from_hub(self, language: str, name: str, token: str, before: str, *, person: Person) -> Iterator[Any]:
        waiting = [gr.skip()] * (len(self.room.renewed()) + 3)
        for words in fetched(person, name, token, language):
            if isinstance(words, Path):
                came = render.note(t(_("{name} is here."), language, name=words.name), "good")
                tests = ["", None] if before else [gr.skip()] * 2
                yield [came, gr.Button(interactive=True), "", *renewed(dataset_id(words)), None, *tests]
            else:
                # The field is cleared with the first response, whatever the outcome.
                yield [words, gr.Button(interactive=words.startswith('<div class="lh-card lh-bad"')), "", *waiting]

    def guess_fetched(
        self, language: str, dataset: str, task_id: str | None, proposed: str, *, person: Person
    ) -> list[Any]:
        # Only now: a fetch may take minutes, and choices made in the meantime count.
        if not dataset:
            return [gr.skip(), gr.skip()]
        file = use_cases.open_dataset(person, dataset)
        found = proposed_task(person, self.page, file, task_id, proposed, language)
        return found or [gr.skip(), gr.skip()]

    def _new_file(self, kept: str, before: str) -> dict[Any, Any]:
        """kept: the id of the file. before: of the one that it replaces, whose test file goes with it."""
        room = self.room
        gone = {room.test: "", room.test_file: None} if before and before != kept else {}
        return dict(zip(room.renewed(), renewed(kept), strict=True)) | gone

    def _guess(self, person: Person, kept: Path, task_id: str | None, proposed: str, language: str) -> dict[Any, Any]:
        found = proposed_task(person, self.page, kept, task_id, proposed, language)
        return dict(zip([self.task, self.room.proposed], found, strict=False))


def _read_uploads(told: str) -> tuple[dict[str, str], dict[str, float]]:
    """The ids of stored files by the paths that they were uploaded to, and their weights, as the browser has them."""
    found = {path: read_part(one) for path, one in read_json(told, {}).items()}
    there = {path: one for path, one in found.items() if one is not None}
    return {path: one["dataset"] for path, one in there.items()}, {
        one["dataset"]: one["weight"] for one in there.values()
    }


def _stored(person: Person, name: str) -> str:
    """The id of a file that was stored before, if it is still here and this person's; "" if not."""
    try:
        return name and dataset_id(use_cases.open_dataset(person, name))
    except DataError:
        return ""


def _take(person: Person, path: str) -> Path:
    """Stores an upload as this person's. Deletes the copy made by the page's server, also where the upload is refused;
    a laptop's own stays for an hour, since the page still offers it."""
    upload = Path(path)
    if not has_sent(person, path):
        raise DataError(_("This is no file of yours."), _("Upload it again."))
    is_refused = True
    try:
        kept = use_cases.add_dataset(person, upload, upload.name)
        is_refused = False
        return kept
    finally:
        if is_refused or not person.is_local:
            upload.unlink(missing_ok=True)


def _toggle(name: str) -> Callable[[str], Any]:
    """Opens one way to add a file, and closes it if it is already open."""

    def toggle(way: str) -> Any:
        opened = "" if way == name else name
        return opened, gr.Column(visible=opened == "paste"), gr.Column(visible=opened == "hub")

    return toggle


def has_sample(task_id: str) -> bool:
    return bool(task_id) and task_id != OWN and catalogue.sample_file(catalogue.get_task(task_id)) is not None
