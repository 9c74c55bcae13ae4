"""What a judge said of a test's answers -> HTML."""

from collections.abc import Callable
from typing import Any

from lora_hub.compare import test_sets
from lora_hub.core.messages import _, read_message
from lora_hub.ui.render.render import escape, note, sentence
from lora_hub.ui.render.text import t


def judged(found: dict[str, Any], pane_name: Callable[[str, str], str], language: str) -> str:
    """found: a test's result. "" where nobody judged."""
    if "judge" not in found:
        return ""
    title = t(_("What the judge {name} says"), language, name=found["judge"]["name"])
    told = [f"<h4>{escape(title)}</h4>"]
    if found["judge"]["trouble"]:
        told.append(note(read_message(found["judge"], "trouble").in_language(language)))
    if "judged" not in found:
        return "".join(told)
    items = []
    for pair in sorted(found["judged"]["pairs"], key=lambda one: one["better"] is None):
        named = {**pair, "a": pane_name(pair["a"], language), "b": pane_name(pair["b"], language)}
        kind = "good" if pair["better"] else "plain"
        items.append(f'<li class="lh-{kind}">{sentence(t(test_sets.describe_judged(named), language))}</li>')
    told.append(f'<ul class="lh-pairs">{"".join(items)}</ul>')
    for said in (test_sets.describe_first(found["judged"]), test_sets.describe_agreement(found["judged"])):
        told.append(f'<p class="lh-quiet">{sentence(t(said, language))}</p>')
    return "".join(told)
