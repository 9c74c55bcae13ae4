"""Reports mends that match no row: a label that no row has, rows that are already gone."""

from collections.abc import Sequence

from lora_hub.core.messages import Message, _, several
from lora_hub.data.mending.mends import Done, describe
from lora_hub.data.tables.findings import Finding, finding

CODE = "idle-mends"


def find_idle(done: Sequence[Done], beside: Sequence[Done] = ()) -> list[Finding]:
    """One finding for all of them. beside: what the same mends did to a separate test file; a mend that matches there
    is not reported."""
    elsewhere = {id_of(one): one for one in beside}
    told: list[Message] = []
    for one in done:
        other = elsewhere.get(id_of(one))
        if one.mend.kind == "relabel":
            for label, near in one.missed.items():
                if other is not None and label not in other.missed:
                    continue
                if near:
                    told.append(
                        _("no row has the label {label!r} (did you mean {near!r}?)", label=label[:60], near=near[:60])
                    )
                else:
                    told.append(_("no row has the label {label!r}", label=label[:60]))
        elif not one.rows and not (other and other.rows):
            told.append(_("nothing is left to do for “{mend}”", mend=describe(one.mend)))
    if not told:
        return []
    said = _("Mends that fit nothing: {mends}.", mends=several(told, ";", most=6))
    return [finding(CODE, "warning", said, hint=_("Correct them, or take them from the list."), count=len(told))]


def id_of(done: Done) -> str:
    return done.mend.model_dump_json()
