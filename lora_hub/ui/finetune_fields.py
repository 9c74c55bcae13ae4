"""Fine-tune's own fields, and what its page runs in the browser: of one's own task, of Advanced, and the bases to
choose from."""

from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub.catalogue import bases
from lora_hub.core import spec_fields
from lora_hub.core.messages import _
from lora_hub.ui.page import Labels

OWN_FIELDS = ("title", "inputs", "answer", "output", "instruction")
REPORT = (Path(__file__).parent / "problems.js").read_text(encoding="utf-8")
# Each look writes down what it has looked at. Where the form says something else by then, as after a click that was
# made while the answer was on its way, it is looked at again: whichever answer comes last, the page ends with the
# form's own.
OUTDATED = """(seen, ...now) => {
  window.loraHub.release('task');
  const plain = (value) => value ?? '';
  const then = JSON.parse(seen || '[]');
  const same = now.length === then.length && now.every((value, place) => plain(value) === plain(then[place]));
  const told = JSON.stringify([seen, now]);
  if (same || !seen || told === window.loraHub.lookedAgain) return window.loraHub.again || '';
  window.loraHub.lookedAgain = told;  // an answer that never fits must not ask for ever
  return window.loraHub.again = String(Date.now()) + Math.random();
}"""
# While an answer is on its way that empties the form, nothing new can be put into it.
HOLD, RELEASE = (f"() => {{ window.loraHub.{what}('list'); }}" for what in ("hold", "release"))
DONE = "() => { window.dispatchEvent(new Event('lora-hub-done')); }"
SHOW_FORM = (
    "() => { window.loraHub.release('list'); document.getElementById('lh-task').scrollIntoView({block: 'center'}); }"
)
WIRED = "() => window.loraHub.wired('form')"


def own_task(words: Labels) -> dict[str, Any]:
    """The fields of a task of one's own, by the names that `catalogue.task_from_dict` knows."""
    with gr.Row():
        title = gr.Textbox(
            label=words(_("Title")), placeholder=words(_("Tone of a letter")), max_lines=1, elem_id="lh-own-title"
        )
        inputs = gr.Textbox(
            value="text",
            label=words(_("Inputs")),
            info=words(_("Names with commas between them")),
            max_lines=1,
            elem_id="lh-own-inputs",
        )
    instruction = gr.Textbox(
        label=words(_("Instruction")),
        placeholder=words(_("Is this letter formal or casual?")),
        lines=2,
        elem_id="lh-own-instruction",
    )
    with gr.Row():
        answer = gr.Textbox(
            label=words(_("Name of the answer")), placeholder="Label", max_lines=1, elem_id="lh-own-answer"
        )
        output = gr.Radio(
            [(words(_("one of a few labels")), "labels"), (words(_("free text")), "text")],
            value="labels",
            label=words(_("The answer is")),
        )
    return {"title": title, "inputs": inputs, "answer": answer, "output": output, "instruction": instruction}


def override(one: spec_fields.Field, words: Labels) -> Any:
    """A field of Advanced. Empty means: as derived."""
    label = words(one.title)
    info = words(one.help)
    options = one.choices or (("true", "false") if one.kind == "bool" else ())
    if options:
        return gr.Dropdown(
            [(words(_("as derived")), ""), *[(choice, choice) for choice in options]],
            value="",
            label=label,
            info=info,
            min_width=180,
        )
    return gr.Textbox(label=label, info=info, max_lines=1, min_width=180, elem_id="lh-set-" + one.key.replace(".", "-"))


def base_choices() -> list[tuple[str, str]]:
    """(title with id, id) of each base in the catalogue."""
    return [
        (f"{base.title} ({base.id})" if base.title and base.title != base.id else base.id, base.id)
        for base in bases.list_bases()
    ]
