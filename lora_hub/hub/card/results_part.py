"""What a card tells of how good the adapter is: its scores beside the base's, what the paired test says, the picture,
what was forgotten, and some held-out rows where whoever published it shares them."""

import math
from collections.abc import Sequence

from lora_hub.core import verdicts
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import ADAPTER, BASE, HeldOutRow, PairedComparison, Score
from lora_hub.evaluation import metrics
from lora_hub.hub.card.card_metadata import Facts
from lora_hub.hub.card.figures import figure_name
from lora_hub.hub.card.markdown import escape
from lora_hub.hub.card.words import WHO, Words

MAX_SHARED_ROWS = 10
LONGEST_SHOWN = 300


def headline(facts: Facts, tell: Words) -> str:
    """The task's first metric in a sentence, against the base's best; empty where nothing was scored."""
    asked = {who: facts.scores(who) for who in WHO}
    names = [name for name in (*facts.spec.task.metrics, *asked[ADAPTER]) if name in asked[ADAPTER]]
    if not names:
        return ""
    name, score = names[0], asked[ADAPTER][names[0]]
    values = {"metric": tell.title(metrics.title_of(name)), "value": score.value}
    values["rows"] = _n("{count:,} held-out row", "{count:,} held-out rows", count=score.rows)
    if not any(name in asked[who] for who in verdicts.BASE_WAYS):
        said = _("{metric}: {value:.1f} % on {rows}.") if score.rows else _("{metric}: {value:.1f} %.")
        return tell(said, **values)
    # What training brought is told against the base's best, not against its worst.
    against = verdicts.stronger_base(asked, name)
    values |= {
        "who": _("the base alone") if against == BASE else _("the base with examples in its prompt"),
        "other": asked[against][name].value,
    }
    said = (
        _("{metric}: {value:.1f} % on {rows} ({who}: {other:.1f} %).")
        if score.rows
        else _("{metric}: {value:.1f} % ({who}: {other:.1f} %).")
    )
    return tell(said, **values)


def results(facts: Facts, tell: Words) -> str:
    """The scores as a table, the verdict, the picture and what was forgotten."""
    asked = {who: facts.scores(who) for who in WHO if facts.scores(who)}
    adapter = asked.get(ADAPTER)
    if not adapter:
        return tell(_("It was not scored."))
    rows = facts.record["dataset"].get("eval_rows")
    about = (
        _n(
            "{count:,} held-out row that was never trained on, the same for all; per cent, with 95 % intervals.",
            "{count:,} held-out rows that were never trained on, the same for all; per cent, with 95 % intervals.",
            count=rows,
        )
        if rows
        else _("Held-out rows that were never trained on, the same for all; per cent, with 95 % intervals.")
    )
    lines = [tell(about), ""]
    lines += [f"| {' | '.join([tell(_('metric')), *(tell(WHO[who]) for who in asked)])} |"]
    lines += ["|---" * (1 + len(asked)) + "|"]
    for name in adapter:
        cells = [_cell(scores.get(name), tell) for scores in asked.values()]
        lines.append(f"| {tell.title(metrics.title_of(name))} | {' | '.join(cells)} |")
    parts = [
        "\n".join(lines),
        _verdict(facts, tell),
        _verdict(facts, tell, "parent_comparison"),
        _picture(facts, tell),
        _forgotten(facts, tell),
    ]
    return "\n\n".join(filter(None, parts))


def _cell(score: Score | None, tell: Words) -> str:
    if score is None:
        return "–"
    return tell(_("{value:.1f} ({low:.1f} to {high:.1f})", value=score.value, low=score.low, high=score.high))


def _verdict(facts: Facts, tell: Words, key: str = "comparison") -> str:
    """What a paired test says; nothing in a record that has none."""
    if not facts.record.get(key):
        return ""
    found = PairedComparison(**facts.record[key])
    return tell(
        _("{metric}, adapter against {against} ({p}): {found}"),
        metric=tell.title(metrics.title_of(found.metric)),
        against=WHO.get(found.against, escape(found.against)),
        p=verdicts.p_value(found),
        found=verdicts.describe(found),
    )


def _picture(facts: Facts, tell: Words) -> str:
    if not facts.has_figure:
        return ""
    about = (
        _("Which labels the adapter took for which, of the held-out rows")
        if facts.spec.task.output == "labels" and facts.examples
        else _("The scores with their intervals")
    )
    return f"![{tell(about)}]({figure_name(tell.language)})"


def _forgotten(facts: Facts, tell: Words) -> str:
    """What the adapter lost of what the base knows besides the task; nothing where that was not measured."""
    told = facts.record.get("forgotten")
    keys = ("base", "adapter", "rows", "difference", "low", "high")
    if not isinstance(told, dict) or not all(
        isinstance(told.get(key), int | float) and math.isfinite(told[key]) for key in keys
    ):
        return ""
    values = {key: float(told[key]) for key in keys if key != "rows"}
    said = _(
        "What it forgot: of {questions} outside its task it answers {adapter:.1f} % right and the base {base:.1f} %, a "
        "difference of {difference:.1f} points (95 % interval {low:.1f} to {high:.1f}). {verdict}."
    )
    questions = _n("{count:,} general question", "{count:,} general questions", count=int(told["rows"]))
    return tell(said, **values, questions=questions, verdict=verdicts.judge_forgotten(values["low"], values["high"]))


def examples(facts: Facts, tell: Words) -> str:
    """Held-out rows as tables: some that the adapter got right and some that it got wrong."""
    rows = facts.examples
    right, wrong = (
        [row for row in rows if ADAPTER in row.judgements and row.judgements[ADAPTER].right is verdict]
        for verdict in (True, False)
    )
    if right or wrong:
        half = MAX_SHARED_ROWS // 2
        kept_wrong = _spread(wrong, max(half, MAX_SHARED_ROWS - len(right)))
        parts = [
            (_("It was right:"), _spread(right, MAX_SHARED_ROWS - len(kept_wrong))),
            (_("It was wrong:"), kept_wrong),
        ]
    else:
        graded = [row for row in rows if ADAPTER in row.judgements]
        ordered = sorted(graded, key=lambda row: (-row.judgements[ADAPTER].score, row.row))
        half = min(MAX_SHARED_ROWS // 2, len(ordered) // 2)
        parts = (
            [(_("Its best answers:"), ordered[:half]), (_("Its worst answers:"), ordered[::-1][:half])]
            if half
            else [(_("Some of them:"), _spread(rows, MAX_SHARED_ROWS))]
        )
    return "\n\n".join(f"{tell(title)}\n\n{_table(found, tell)}" for title, found in parts if found)


def _spread(rows: Sequence[HeldOutRow], most: int) -> list[HeldOutRow]:
    """At most so many, from all of them at equal distances."""
    most = min(most, len(rows))
    return [rows[place * len(rows) // most] for place in range(most)]


def _table(rows: Sequence[HeldOutRow], tell: Words) -> str:
    titles = [_("question"), _("right answer"), WHO[BASE], WHO[ADAPTER]]
    lines = [f"| {' | '.join(map(tell, titles))} |", "|---|---|---|---|"]
    for row in rows:
        right = row.reference if isinstance(row.reference, str) else " / ".join(row.reference)
        said = [row.answers[who].text if who in row.answers else "" for who in (BASE, ADAPTER)]
        cells = [escape(text, LONGEST_SHOWN) or "–" for text in (_question(row), right, *said)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _question(row: HeldOutRow) -> str:
    """What was asked, without the template's words around it where they are known."""
    if row.inputs and all(isinstance(text, str) for text in row.inputs.values()):
        return " / ".join(filter(None, row.inputs.values()))
    return row.prompt
