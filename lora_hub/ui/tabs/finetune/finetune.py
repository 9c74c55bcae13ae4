"""The Fine-tune tab: five numbered steps from a task to a started run, and what happens when something in them changes.

The form's fields are read by name into an `Asked`, inspected (finetune_look.py, review.py) and rendered. The browser
stores the form and the list of tasks that are trained together (finetune_start.py, task_list.py), so that a reload,
another language or a restarted app restores both. The widgets are in finetune_steps.py and data_room.py.
"""

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from lora_hub.core.messages import _
from lora_hub.ui.frame.page import LIGHT, Page, told, told_stream
from lora_hub.ui.tabs.finetune.data_ways import Ways
from lora_hub.ui.tabs.finetune.finetune_look import Look
from lora_hub.ui.tabs.finetune.finetune_start import Start
from lora_hub.ui.tabs.finetune.finetune_steps import Steps
from lora_hub.ui.tabs.finetune.form import correcting, weighing

# Each inspection records the form it was for. If the form differs by then, for instance after a click while the
# response was on its way, it is inspected again. So whichever response arrives last, the page ends up showing the
# current form.
OUTDATED = """(seen, ...now) => {
  window.loraHub.release('task');
  const plain = (value) => value ?? '';
  const then = JSON.parse(seen || '[]');
  const same = now.length === then.length && now.every((value, place) => plain(value) === plain(then[place]));
  const told = JSON.stringify([seen, now]);
  // An answer that never fits must not ask for ever. One that fitted shows that this one does not belong to those: the
  // same old answer may come after it once more, of another inspection that took longer.
  if (same) window.loraHub.lookedAgain = '';
  if (same || !seen || told === window.loraHub.lookedAgain) return window.loraHub.again || '';
  window.loraHub.lookedAgain = told;
  return window.loraHub.again = String(Date.now()) + Math.random();
}"""
# While a response that clears the form is on its way, nothing new can be entered.
HOLD, RELEASE = (f"() => {{ window.loraHub.{what}('list'); }}" for what in ("hold", "release"))
DONE = "() => { window.dispatchEvent(new Event('lora-hub-done')); }"
SHOW_FORM = (
    "() => { window.loraHub.release('list'); document.getElementById('lh-task').scrollIntoView({block: 'center'}); }"
)
WIRED = "() => window.loraHub.wired('form')"
# The text fields of a custom task are inspected when the cursor leaves them.
TYPED_FIELDS = ("title", "inputs", "answer", "instruction")


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    wires = Wires(page, Steps(page.words))
    wires.data()
    wires.form()
    wires.report()
    wires.start()
    wires.coming_back()


class Wires:
    """Which event of the steps calls which handler."""

    def __init__(self, page: Page, steps: Steps) -> None:
        self.page, self.steps = page, steps
        self.looks, self.starts = Look(page, steps), Start(page, steps)
        # Everything that an inspection needs: the problem whose rows are shown, the list, the form.
        self.inputs = [page.language, steps.room.opened, steps.listed, *steps.fields]
        self.looking: dict[str, Any] = {
            "fn": told(self.looks.look),
            "inputs": self.inputs,
            "outputs": self.looks.outputs,
            "concurrency_id": "look",
            "concurrency_limit": 4,
            "api_visibility": "private",
            "show_progress": "minimal",
            "show_progress_on": [steps.room.data],
            "trigger_mode": "always_last",
        }
        self.quiet = {**self.looking, "show_progress": "hidden", "show_progress_on": None}
        # Clicks are stored at once, not only after the inspection, because the page may be left or reloaded before. The
        # stored values are always the browser's, because the response of an inspection may be older than the last
        # click.
        self.keeping: dict[str, Any] = {
            "fn": None,
            "inputs": steps.fields,
            "outputs": steps.kept,
            "js": steps.form.keeping(),
            "api_visibility": "private",
            "trigger_mode": "multiple",
        }

    def look_again(self, event: Any) -> None:
        """After an inspection: inspects once more if the form has changed in the meantime."""
        steps = self.steps
        event.then(None, [steps.seen, *steps.fields], steps.outdated, js=OUTDATED, api_visibility="private")
        event.then(**self.keeping)

    def with_look(self, take: Callable[..., dict[Any, Any]], more: list[Any], changed: list[Any]) -> dict[str, Any]:
        """The arguments of an event that adds a new file and shows it. take: gets the language and the values of
        `more`, and returns {component: value}. changed: what it may update besides the form of a new file."""
        steps = self.steps
        return {
            **self.looking,
            "fn": told_stream(self.looks.with_file(take)),
            "inputs": [*self.inputs, *more],
            "outputs": list(dict.fromkeys([*self.looks.outputs, steps.kept, *steps.room.renewed(), *changed])),
        }

    def data(self) -> None:
        """Wires new files and chosen columns."""
        room = self.steps.room
        arrived, looked = Ways(self.page, room, self.steps.choice.task).wire(self.with_look)
        for event in (*looked, *(event.then(**self.looking) for event in arrived)):
            self.look_again(event)
        self.look_again(self.steps.outdated.change(**self.quiet))
        for place, role in enumerate(room.roles):
            told_of = [room.corrections, self.steps.shown_roles, role]
            corrected = role.input(None, told_of, room.corrections, js=correcting(place), api_visibility="private")
            self.look_again(corrected.then(**self.keeping).then(**self.looking))

        for place, weight in enumerate(room.weights):
            told_of = {"inputs": [room.parts, weight], "outputs": room.parts, "js": weighing(place)}
            weighed = gr.on([weight.blur, weight.submit], None, **told_of, api_visibility="private")
            self.look_again(weighed.then(**self.keeping).then(**self.quiet))

    def form(self) -> None:
        """Wires the fields that a person clicks and types in. Never by their change event: that also fires while a
        stored form is restored, when some of its fields are still empty."""
        choice, room, base = self.steps.choice, self.steps.room, self.steps.base
        reading = [room.encoding.input, room.delimiter.input, room.sheet.input, room.skip_broken.input]
        clicked = [choice.task.input, choice.own["output"].input, *reading]
        picked = [one.input for one in base.overrides.values() if not isinstance(one, gr.Textbox)]
        typed = [one for one in base.overrides.values() if isinstance(one, gr.Textbox)]
        picked.append(self.steps.training.hardware.input)
        gr.on([*clicked, base.base.input, base.effort.input, base.parent.input, *picked], **self.keeping)
        # Its adapter may have to be asked of the Hub: until the inspection says what it is, this stands there.
        looking = f'<p class="lh-quiet" role="status">{self.page.words.both(_("Looking at this adapter ..."))}</p>'
        base.parent.input(
            None,
            base.parent,
            base.parent_note,
            js=f"(name) => name ? {json.dumps(looking)} : ''",
            api_visibility="private",
        )
        # A click on a task is a person's choice, whatever was proposed.
        choice.task.input(None, None, room.proposed, js="() => ''", api_visibility="private")
        self.look_again(gr.on([*clicked, *[choice.own[key].blur for key in TYPED_FIELDS]], **self.looking))
        base.get.click(
            told_stream(self.looks.bring_base),
            [self.page.language, base.base],
            [base.base, base.card, self.steps.outdated],
            concurrency_id="bring",
            concurrency_limit=1,
            show_progress="hidden",
            api_visibility="private",
            trigger_mode="once",
        )
        changes = [base.base.input, base.effort.input, base.parent.input, self.steps.training.name.blur, *picked]
        changes += [trigger for one in typed for trigger in (one.blur, one.submit)]
        self.look_again(gr.on(changes, **self.quiet))

    def report(self) -> None:
        """Wires clicks in the data report, and the exact prompts."""
        room, columns, language = self.steps.room, self.steps.columns, self.page.language
        proposing = [self.steps.choice.task, room.proposed]
        reading = [room.encoding, room.delimiter, room.sheet, room.skip_broken]
        told_of = [language, room.mends, room.dataset, *proposing, *reading]
        done = {"fn": None, "js": DONE, "api_visibility": "private"}
        mended = columns.problems.mend(told(self.looks.mend), told_of, [room.mends, *proposing], **LIGHT)
        self.look_again(mended.then(**done).then(**self.keeping).then(**self.quiet))
        chosen = columns.problems.task(told(self.looks.use_task), [language], proposing, **LIGHT)
        self.look_again(chosen.then(**done).then(**self.keeping).then(**self.looking))
        opened = columns.problems.rows(told(self.looks.open_rows), [language], room.opened, **LIGHT)
        self.look_again(opened.then(**done).then(**self.quiet))
        base = self.steps.base
        waited = [self.steps.outdated, base.measuring]
        base.measuring.tick(told(self.looks.when_measured), [language], waited, **LIGHT)
        taken = base.marks.choose(told(self.looks.use_base), [language], base.base, **LIGHT)
        self.look_again(taken.then(**done).then(**self.keeping).then(**self.quiet))
        columns.exact.click(
            told(self.looks.show_exact),
            self.inputs,
            columns.prompts,
            concurrency_id="exact",
            concurrency_limit=1,
            show_progress="minimal",
            api_visibility="private",
        )

    def start(self) -> None:
        """Wires Train, Add task, and the list."""
        alone: dict[str, Any] = {
            "concurrency_id": "start",
            "concurrency_limit": 1,
            "show_progress": "hidden",
            "api_visibility": "private",
            "trigger_mode": "once",
        }
        page, steps, starts, training = self.page, self.steps, self.starts, self.steps.training
        shown = [page.run_id, page.tabs, training.name, *starts.list_parts]
        self.look_again(training.train.click(told(starts.start), self.inputs, shown, **alone).then(**self.quiet))
        told_of = [page.language, training.twin]
        training.watching.tick(told(self.looks.still_under_way), told_of, training.twin_parts, **LIGHT)
        training.add.click(None, None, None, js=HOLD, api_visibility="private")
        files = [steps.room.opened, steps.room.file, steps.room.test_file]
        rewritten = [*dict.fromkeys([*steps.fields, *files, *starts.list_parts])]
        added = training.add.click(told(starts.add_task), self.inputs, rewritten, **alone)
        changed = steps.edited.change(told(starts.edit_task), [*self.inputs, steps.edited], rewritten, **alone)
        told_of = [page.language, steps.listed]
        removed = training.tasks.unlist(told(starts.remove_task), told_of, starts.list_parts, **LIGHT)
        taken = page.start_from.change(
            told(starts.start_from), [*self.inputs, page.start_from], [page.tabs, page.start_from, *rewritten], **alone
        )
        for event, after in ((added, RELEASE), (removed, RELEASE), (changed, SHOW_FORM), (taken, RELEASE)):
            self.look_again(event.then(None, None, None, js=after, api_visibility="private").then(**self.quiet))

    def coming_back(self) -> None:
        """Wires restoring the form and the list that the browser stored."""
        steps, starts = self.steps, self.starts
        restored = self.page.blocks.load(
            told(starts.restore),
            [self.page.language, steps.kept, steps.listed],
            [*dict.fromkeys([*steps.fields, *starts.list_parts])],
            js="(language, ...kept) => [window.loraHub.language, ...kept]",
            **LIGHT,
        )
        self.look_again(restored.then(None, None, None, js=WIRED, api_visibility="private").then(**self.quiet))
