"""Mends that fit no row: a label that nobody has, rows that are gone already."""

from collections.abc import Sequence

from lora_hub.data.findings import Finding, finding
from lora_hub.data.mends import Done, describe

CODE = "idle-mends"


def find_idle(done: Sequence[Done], beside: Sequence[Done] = ()) -> list[Finding]:
    """One finding for all of them. beside: what the same mends did to a test file of its own: what fits there is not idle."""
    elsewhere = {id_of(one): one for one in beside}
    told, told_fa = [], []
    for one in done:
        other = elsewhere.get(id_of(one))
        if one.mend.kind == "relabel":
            for label, near in one.missed.items():
                if other is not None and label not in other.missed:
                    continue
                told.append(f"no row has the label {label[:60]!r}" + (f" (did you mean {near[:60]!r}?)" if near else ""))
                told_fa.append(f"هیچ سطری برچسب «{label[:60]}» را ندارد" + (f" (شاید «{near[:60]}»)" if near else ""))
        elif not one.rows and not (other and other.rows):
            said = describe(one.mend)
            told.append(f"nothing is left to do for \u201c{said.en}\u201d")
            told_fa.append(f"برای «{said.fa}» سطری نمانده است")
    if not told:
        return []
    shown, shown_fa = "; ".join(told[:6]), "؛ ".join(told_fa[:6])
    return [finding(
        CODE, "warning", f"Mends that fit nothing: {shown}.", f"اصلاح‌هایی که به سطری نمی‌خورد: {shown_fa}.",
        hint="Correct them, or take them from the list.", hint_fa="درستشان کنید یا از فهرست بردارید.", count=len(told),
    )]  # fmt: skip


def id_of(done: Done) -> str:
    return done.mend.model_dump_json()
