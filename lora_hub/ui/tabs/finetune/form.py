"""The Fine-tune tab's fields by name: components -> `Asked`, and back.

A person's corrections are stored apart from the proposals, in two hidden fields of the browser, so that they survive a
restart of the app: `corrections` (the chosen columns, by role) and `mends`. A column counts as chosen only by the click
that chose it. A dropdown that differs from the proposal is no evidence, because it may just be being drawn. Only clicks
and a new file write these fields; a response that was on its way in the meantime leaves them alone.
"""

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from lora_hub.core.schema import MOST_WEIGHT
from lora_hub.ui.tabs.finetune.asked import Asked, read_mends, read_parts

# The fields of `Asked` that have one component each, and the two hidden ones, in the order in which the browser stores
# them.
PLAIN = (
    "task",
    "proposed",
    "dataset",
    "encoding",
    "delimiter",
    "sheet",
    "skip_broken",
    "test",
    "corrections",
    "mends",
    "base",
    "effort",
    "name",
    "hardware",
    "parent",
    "parts",
)
OWN_DEFAULTS = {"inputs": "text", "output": "labels"}
NOTHING_CORRECTED, NO_MENDS, NO_PARTS = "{}", "[]", "[]"


class Form:
    """The fields that a person fills in, and the two that store corrections."""

    def __init__(
        self,
        plain: dict[str, Any],
        *,
        own: dict[str, Any],
        roles: list[gr.Dropdown],
        overrides: dict[str, Any],
    ) -> None:
        """plain: `PLAIN` -> component; own: the fields of a custom task; roles: the column dropdowns; overrides:
        setting -> field."""
        self.plain = {name: plain[name] for name in PLAIN}
        self.own, self.roles, self.overrides = own, roles, overrides

    def components(self) -> list[Any]:
        return [*self.plain.values(), *self.own.values(), *self.roles, *self.overrides.values()]

    def keeping(self) -> str:
        """JavaScript that stores the form as it is, before it has been inspected: see `kept_form`."""
        return (
            "(...values) => ({layout: " + json.dumps(self._layout()) + ", values: values.map((value) => value ?? '')})"
        )

    def kept_form(self, data: Any) -> Asked:
        """The form as the browser stored it: the values of `components()` with their layout, or an `Asked` as JSON.
        Anything else, or another version's layout, is an empty form."""
        values = data.get("values") if isinstance(data, dict) and data.get("layout") == self._layout() else None
        fits = isinstance(values, list) and len(values) == len(self.components())
        return self.read(tuple(values)) if fits else Asked.from_json(data)

    def _layout(self) -> str:
        return " ".join([*self.own, f"{len(self.roles)} roles", *self.overrides])

    def read(self, values: Sequence[Any]) -> Asked:
        """The form from the values of `components()`, in their order."""
        by_name = dict(zip([id(component) for component in self.components()], values, strict=True))

        def texts(components: dict[str, Any]) -> dict[str, str]:
            found = {name: by_name[id(component)] for name, component in components.items()}
            return {name: value if isinstance(value, str) else "" for name, value in found.items()}

        plain = texts(self.plain)
        parts = read_parts(read_json(plain.pop("parts"), []))
        columns, mends = chosen_columns(plain.pop("corrections")), read_mends(read_json(plain.pop("mends"), []))
        return Asked(
            **{
                **plain,
                "skip_broken": bool(by_name[id(self.plain["skip_broken"])]),
                "effort": plain["effort"] or "balanced",
            },
            columns=columns,
            mends=mends,
            parts=parts,
            own=texts(self.own),
            overrides=texts(self.overrides),
        )

    def write(self, asked: Asked) -> list[Any]:
        """Updates for `components()` that restore a stored form; the roles follow with the review."""
        special = {
            "task": asked.task or None,
            "corrections": corrections(asked.columns),
            "mends": json.dumps(asked.mends),
            "parts": json.dumps(asked.parts),
        }
        plain = [special[name] if name in special else getattr(asked, name) for name in self.plain]
        own = [asked.own.get(key) or OWN_DEFAULTS.get(key, "") for key in self.own]
        overrides = [asked.overrides.get(key, "") for key in self.overrides]
        return [*plain, *own, *[gr.skip() for _ in self.roles], *overrides]


def corrections(chosen: dict[str, str]) -> str:
    """The hidden field: the columns that a person chose, by role."""
    return json.dumps(chosen, ensure_ascii=False)


def correcting(place: int) -> str:
    """JavaScript for when a person chooses a column in the dropdown at `place`: (`corrections`, what the dropdowns show
    as JSON: role and column, the column) -> `corrections`. A dropdown also tells of an input where it is only left by
    the Tab key: that is no choice."""
    return (
        "(corrected, shown, column) => { const [role, now] = JSON.parse(shown || '[]')[" + str(place) + "] ?? [];"
        " return role && (column ?? '') !== now"
        " ? JSON.stringify({...JSON.parse(corrected || '{}'), [role]: column ?? ''}) : corrected; }"
    )


def weighing(place: int) -> str:
    """JavaScript for when a person changes the weight of the file at `place`: (`parts`, the weight) -> `parts`."""
    return (
        "(parts, weight) => { const all = JSON.parse(parts || '[]');"
        f" if (all[{place}] && weight > 0) all[{place}].weight = Math.min(weight, {MOST_WEIGHT:g});"
        " return JSON.stringify(all); }"
    )


def chosen_columns(corrected: str) -> dict[str, str]:
    """The columns in `corrections`. The field comes from the browser, so it may be anything."""
    return {role: column for role, column in read_json(corrected, {}).items() if isinstance(column, str)}


def changed_mends(mends: str, clicked: Any) -> list[dict]:
    """The mends after a click in the report: {add: mend}, {undo: mend} or {all: true}. An invalid mend changes
    nothing."""
    kept = read_mends(read_json(mends, []))
    clicked = clicked if isinstance(clicked, dict) else {}
    if clicked.get("all"):
        return []
    added, undone = read_mends([clicked.get("add")]), read_mends([clicked.get("undo")])
    kept = [mend for mend in kept if mend not in undone]
    # A mend that was already applied is applied again if it may find more, such as removing duplicates after a
    # renaming.
    return [*[mend for mend in kept if mend not in added], *added]


def read_json(text: str, default: Any) -> Any:
    """What a field of the browser holds, where it is of the same type as `default`; else that."""
    try:
        value = json.loads(text)
    except ValueError:
        return default  # it comes from the browser, so it may be anything
    return value if isinstance(value, type(default)) else default
