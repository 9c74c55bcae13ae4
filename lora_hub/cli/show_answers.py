"""How the result of `compare` is shown to people."""

from typing import Any

from lora_hub.cli.screen import Part
from lora_hub.cli.text import rows_of, score_table, units_of, verdict
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Divergence

# How many of an answer's labels are shown, the most likely first.
SHOWN_LABELS = 5


def show_comparison(result: dict[str, Any]) -> list[Part]:
    if "metrics" in result:
        told = [line for name, found in result["comparisons"].items() for line in verdict(found, name)]
        head = _("{rows} ({units})", rows=rows_of(result["rows"]), units=units_of(result["metrics"]))
        return [head, score_table(result["metrics"]), *told]
    parts: list[Part] = []
    for answer in result["answers"]:
        commit = f" @ {answer['revision'][:8]}" if answer["revision"] else ""
        parts.append(
            _(
                "--- {adapter}: {tokens}, {seconds:.3f} s",
                adapter=f"{answer['adapter']}{commit}",
                tokens=_n("{count:,} token", "{count:,} tokens", count=answer["tokens"]),
                seconds=float(answer["seconds"]),
            )
        )
        parts += [sample["text"] for sample in answer.get("samples", [answer])]
        if answer.get("note"):
            parts.append(_("({note})", note=answer["note"]))
        if answer["strength"] != 1:
            parts.append(_("(strength {strength:g})", strength=float(answer["strength"])))
        if answer["probabilities"]:
            parts.append(_probabilities(answer["probabilities"]))
        if answer["divergence"] and Divergence(**answer["divergence"]).is_none:
            parts.append(_("(this adapter changes nothing)"))
    return parts


def _probabilities(shares: dict[str, float]) -> Message:
    likely = sorted(shares.items(), key=lambda one: -one[1])
    shown = several(
        (_("{label} {share:.1%}", label=label, share=float(share)) for label, share in likely[:SHOWN_LABELS])
    )
    if len(likely) > SHOWN_LABELS:
        return _("({labels}, {count} more)", labels=shown, count=len(likely) - SHOWN_LABELS)
    return _("({labels})", labels=shown)
