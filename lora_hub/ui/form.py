"""The Fine-tune tab's fields by name: components -> `Asked`, and back.

What a person corrected is kept apart from what is proposed, in two hidden fields of the browser, so that it outlives a
restarted app: `corrections` (the columns that they chose, by role) and `mends`. A column counts as chosen by the click
that chose it, never because a dropdown says something else than what was proposed: one that is just being drawn says
nothing yet. Only clicks and another file write these fields; an answer that was on its way meanwhile leaves them alone.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from lora_hub.ui.asked import Asked, read_mends

OWN_DEFAULTS = {"inputs": "text", "output": "labels"}
NOTHING_CORRECTED, NO_MENDS = "{}", "[]"


@dataclass
class Form:
    """The fields that a person fills, by name, and the two that remember what they corrected."""

    task: gr.Radio
    proposed: gr.Textbox
    own: dict[str, Any]
    dataset: gr.Textbox
    encoding: gr.Dropdown
    delimiter: gr.Dropdown
    sheet: gr.Dropdown
    skip_broken: gr.Checkbox
    test: gr.Textbox
    corrections: gr.Textbox
    mends: gr.Textbox
    roles: list[gr.Dropdown]
    base: gr.Dropdown
    effort: gr.Radio
    name: gr.Textbox
    overrides: dict[str, Any] = field(default_factory=dict)

    def components(self) -> list[Any]:
        plain = [
            self.task,
            self.proposed,
            self.dataset,
            self.encoding,
            self.delimiter,
            self.sheet,
            self.skip_broken,
            self.test,
            self.corrections,
            self.mends,
        ]
        return [*plain, self.base, self.effort, self.name, *self.own.values(), *self.roles, *self.overrides.values()]

    def keeping(self) -> str:
        """What the browser runs to keep the form as it stands, before anybody has looked at it: see `kept_form`."""
        return (
            "(...values) => ({layout: " + json.dumps(self._layout()) + ", values: values.map((value) => value ?? '')})"
        )

    def kept_form(self, data: Any) -> Asked:
        """The form as the browser kept it: the values of `components()` with the layout that they belong to, or an
        `Asked` as JSON. What is neither, or of another version's layout, is an empty form."""
        values = data.get("values") if isinstance(data, dict) and data.get("layout") == self._layout() else None
        fits = isinstance(values, list) and len(values) == len(self.components())
        return self.read(tuple(values)) if fits else Asked.from_json(data)

    def _layout(self) -> str:
        return " ".join([*self.own, f"{len(self.roles)} roles", *self.overrides])

    def read(self, values: tuple) -> Asked:
        """The form from the values of `components()`, in their order."""
        by_name = dict(zip([id(component) for component in self.components()], values, strict=True))

        def text(component: Any) -> str:
            value = by_name[id(component)]
            return value if isinstance(value, str) else ""

        return Asked(
            task=text(self.task),
            proposed=text(self.proposed),
            own={key: text(one) for key, one in self.own.items()},
            dataset=text(self.dataset),
            encoding=text(self.encoding),
            delimiter=text(self.delimiter),
            sheet=text(self.sheet),
            skip_broken=bool(by_name[id(self.skip_broken)]),
            test=text(self.test),
            columns=chosen_columns(text(self.corrections)),
            mends=read_mends(_json(text(self.mends), [])),
            base=text(self.base),
            effort=text(self.effort) or "balanced",
            name=text(self.name),
            overrides={key: text(one) for key, one in self.overrides.items()},
        )

    def write(self, asked: Asked) -> list[Any]:
        """Updates for `components()` that bring a kept form back; the roles follow with the review."""
        plain = [
            asked.task or None,
            asked.proposed,
            asked.dataset,
            asked.encoding,
            asked.delimiter,
            asked.sheet,
            asked.skip_broken,
            asked.test,
        ]
        plain += [corrections(asked.columns), json.dumps(asked.mends), asked.base, asked.effort, asked.name]
        own = [asked.own.get(key) or OWN_DEFAULTS.get(key, "") for key in self.own]
        overrides = [asked.overrides.get(key, "") for key in self.overrides]
        return [*plain, *own, *[gr.skip() for _ in self.roles], *overrides]


def corrections(chosen: dict[str, str]) -> str:
    """The hidden field: the columns that a person chose, by role."""
    return json.dumps(chosen, ensure_ascii=False)


def correcting(place: int) -> str:
    """What the browser runs when a person chooses a column in the dropdown at `place`: (`corrections`, the roles that
    the dropdowns stand for as JSON, the column) -> `corrections`."""
    return (
        "(corrected, roles, column) => { const role = JSON.parse(roles || '[]')[" + str(place) + "];"
        " return role ? JSON.stringify({...JSON.parse(corrected || '{}'), [role]: column ?? ''}) : corrected; }"
    )


def chosen_columns(corrected: str) -> dict[str, str]:
    """What `corrections` says. The field comes from the browser: anything may be in it."""
    return {role: column for role, column in _json(corrected, {}).items() if isinstance(column, str)}


def changed_mends(mends: str, clicked: Any) -> list[dict]:
    """The mends after a click in the report: {add: mend}, {undo: mend} or {all: true}. What is no mend changes
    nothing."""
    kept = read_mends(_json(mends, []))
    clicked = clicked if isinstance(clicked, dict) else {}
    if clicked.get("all"):
        return []
    added, undone = read_mends([clicked.get("add")]), read_mends([clicked.get("undo")])
    kept = [mend for mend in kept if mend not in undone]
    # A mend that is done already is done again where it may find more, as leaving out duplicates after a renaming.
    return [*[mend for mend in kept if mend not in added], *added]


def _json(text: str, default: Any) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return default  # a field of the browser: anything may be in it
    return value if isinstance(value, type(default)) else default
