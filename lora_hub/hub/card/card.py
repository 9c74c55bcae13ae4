"""Adapter facts -> the model card (README.md) of an adapter's repo, and of the built-in base's.

`render_card` writes the card from an adapter's record (`record.make_record`) and from nothing else, so that the same
facts give the same bytes and a repeated publish changes nothing. Words that come from people (names, titles, labels,
columns) pass `markdown.escape`. The metadata at its head is `card_metadata`'s, the code that a reader pastes is
`snippet`'s.
"""

from collections.abc import Sequence
from typing import Any

from lora_hub.core import verdicts
from lora_hub.core.schema import ADAPTER, BASE, BaseModel, HeldOutRow, PairedComparison, Score, TrainSpec
from lora_hub.evaluation import metrics
from lora_hub.hub import snippet
from lora_hub.hub.card import composed_part, reproduce
from lora_hub.hub.card.card_metadata import (
    Facts,
    adapter_metadata,
    card_title,
    front_matter,
    licence_of,
    short_name,
    spec_of,
)
from lora_hub.hub.card.markdown import escape, fence

MAX_SHARED_ROWS = 10


def render_card(
    record: dict[str, Any],
    repo_id: str,
    *,
    base_repo: str = "",
    base_revision: str = "",
    architecture: str = "",
    languages: tuple[str, ...] = (),
    examples: Sequence[HeldOutRow] | None = None,
    owner: str = "",
    size: int = 0,
) -> str:
    """The whole README.md of an adapter's repo; the arguments are `Facts`'."""
    facts = Facts(
        record,
        spec_of(record),
        repo_id,
        base_repo,
        base_revision,
        architecture,
        languages,
        tuple(examples or ()),
        owner,
        size,
    )
    parts = [
        f"# {escape(card_title(facts.spec))}",
        _first_line(facts),
        "## Use it\n\n" + _usage(facts),
        "## Results\n\n" + _results(facts),
        *_making(facts),
        "## Licence and limits\n\n" + _limits(facts.spec),
    ]
    if facts.examples and facts.spec.share_rows:
        parts.insert(4, "## Held-out examples\n\n" + _examples(facts.examples))
    return front_matter(adapter_metadata(facts)) + "\n\n".join(parts) + "\n"


def _making(facts: Facts) -> list[str]:
    """How it came about: by a training, or as the sum of others."""
    composition = composed_part.composition_of(facts.record)
    if composition is None:
        return [
            "## What it was trained on\n\n" + _data(facts),
            "## Hyperparameters\n\n" + _hyperparameters(facts.spec),
            "## How to reproduce it\n\n" + _reproduce(facts),
        ]
    again = fence(composed_part.command(facts, composition), "sh")
    return [
        "## What it is made of\n\n" + composed_part.recipe(composition),
        "## The examples\n\n" + _data(facts).replace("| Trained on |", "| Weights found on |"),
        f"## How to reproduce it\n\n{again}\n\nThe whole recipe is in `lora_hub.json`.",
    ]


def render_base_card(base: BaseModel, repo_id: str) -> str:
    """The README.md of the built-in base's repo."""
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language=list(base.languages) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["lora-hub-base"],
        **licence_of(base.licence),
    )
    size = f"{base.parameters / 1e6:.1f} million parameters, " if base.parameters else ""
    text = f"""# {escape(base.title or short_name(base))}

The built-in base of LoRA Hub: a small causal language model ({size}context {base.context} tokens) on which adapters
can be trained and tried with nothing else downloaded. The project's own script made it from nothing; without an
adapter it is of little use.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({repo_id!r})
model = AutoModelForCausalLM.from_pretrained({repo_id!r})
```

Weights: sha256 {escape(base.fingerprint or "not recorded", 80)}. Licence: {escape(base.licence)}.
"""
    return front_matter(data) + text


def _base_words(facts: Facts) -> str:
    base = facts.spec.base
    if base.origin is not None:
        copy = f"read from `{escape(base.origin.file)}`, {escape(base.origin.quantization, 20)}"
        source = f", from the Python package `{escape(base.origin.package)}`" if base.origin.package else ""
        of = f"`{facts.base_repo}`" if facts.base_repo else f"**{escape(short_name(base))}**"
        return (
            f"{of} (trained on a rounded copy of its weights: {copy}{source}, sha256 {escape(base.origin.sha256, 64)})"
        )
    if facts.base_repo:
        return f"`{facts.base_repo}`"
    kind = f", {escape(facts.architecture)}" if facts.architecture else ""
    mark = f", weights sha256 {escape(base.fingerprint, 80)}" if base.fingerprint else ""
    return f"**{escape(short_name(base))}** (a local folder{kind}{mark}; it is on no Hub)"


def _first_line(facts: Facts) -> str:
    line = f"A LoRA adapter for **{escape(facts.spec.task.title.en)}** on {_base_words(facts)}, made with LoRA Hub."
    asked = {who: facts.scores(who) for who in verdicts.WHO}
    for name in [name for name in (*facts.spec.task.metrics, *asked["adapter"]) if name in asked["adapter"]][:1]:
        score, alone = asked["adapter"][name], ""
        if any(name in asked[who] for who in verdicts.BASE_WAYS):
            # What training brought is told against the base's best, not against its worst.
            against = verdicts.stronger_base(asked, name)
            alone = (
                f" (the {verdicts.WHO[against]}{' alone' if against == 'base' else ''}: "
                f"{asked[against][name].value:.1f} %)"
            )
        of = f" on {score.rows:,} held-out {'row' if score.rows == 1 else 'rows'}" if score.rows else ""
        line += f" {escape(metrics.title_of(name).en)}: {score.value:.1f} %{of}{alone}."
    return line


def _usage(facts: Facts) -> str:
    spec = facts.spec
    code = snippet.write(
        spec.task,
        repo_id=facts.repo_id,
        base=facts.base_repo or short_name(spec.base),
        base_revision=facts.base_revision,
        chat_template=spec.base.has_chat_template,
        **facts.record.get("asking", {}),
    )
    note = "" if facts.base_repo else "Set `BASE` to the folder that holds the base.\n\n"
    labels = ", ".join(escape(label, 60) for label in spec.task.labels[:100])
    return f"`pip install torch transformers peft`\n\n{note}{fence(code, 'python')}" + (
        f"\n\nIt answers with one of: {labels}." if labels else ""
    )


def _results(facts: Facts) -> str:
    asked = {who: facts.scores(who) for who in verdicts.WHO if facts.scores(who)}
    adapter = asked.get("adapter")
    if not adapter:
        return "It was not scored."

    def cell(score: Score | None) -> str:
        return f"{score.value:.1f} ({score.low:.1f} to {score.high:.1f})" if score else "–"

    rows = facts.record["dataset"].get("eval_rows")
    count = f"{rows} held-out rows" if rows else "Held-out rows"
    lines = [f"{count} that were never trained on, the same for all; per cent, with 95 % intervals.", ""]
    lines += [f"| metric | {' | '.join(verdicts.WHO[who] for who in asked)} |", "|---" * (1 + len(asked)) + "|"]
    for name in adapter:
        cells = [cell(scores.get(name)) for scores in asked.values()]
        lines.append(f"| {escape(metrics.title_of(name).en)} | {' | '.join(cells)} |")
    return "\n".join([*lines, *_verdict(facts)])


def _verdict(facts: Facts) -> list[str]:
    """What the paired test says; nothing in a record from before there was one."""
    if not facts.record.get("comparison"):
        return []
    found = PairedComparison(**facts.record["comparison"])
    title = escape(metrics.title_of(found.metric).en)
    return [
        "",
        (
            f"{title}, adapter against {verdicts.WHO.get(found.against, escape(found.against))} "
            f"({verdicts.p_value(found).en}): {verdicts.describe(found).en}"
        ),
    ]


# What became of the rows: all of them, so that a reader can add them up.
PARTS = (
    ("Trained on", "train_rows"),
    ("Validation, which chose the checkpoint", "validation_rows"),
    ("Held out and scored", "eval_rows"),
    ("Left out", "left_out"),
)


def _data(facts: Facts) -> str:
    spec, counts = facts.spec, facts.record["dataset"]
    lines = ["| | |", "|---|---|"]
    for title, info, mapping in (
        ("File", spec.dataset, spec.mapping),
        ("Test file", spec.test_dataset, spec.test_mapping or spec.mapping),
    ):
        if info:
            used = ", ".join(f"{escape(role, 40)} = {escape(column, 60)}" for role, column in mapping.items())
            lines.append(
                f"| {title} | {escape(info.name)} ({escape(info.format)}), fingerprint {escape(info.fingerprint)} |"
            )
            own = f", and {info.test_rows} in a test part of its own" if info.test_rows else ""
            lines.append(f"| Rows | {info.rows}{own} |")
            lines.append(f"| Columns | {', '.join(escape(column, 60) for column in info.columns[:50])} |")
            lines.append(f"| Used as | {used} |")
    lines += [f"| {title} | {counts[key]} rows |" for title, key in PARTS if counts.get(key)]
    words = "The fingerprint is the start of the file's sha256." + (
        "" if spec.share_rows else " The rows themselves are not in this repo."
    )
    return "\n".join(lines) + f"\n\n{words}"


def _hyperparameters(spec: TrainSpec) -> str:
    targets = spec.lora.targets if isinstance(spec.lora.targets, str) else ", ".join(spec.lora.targets)
    rows = {
        "Effort": spec.effort,
        "LoRA": (
            f"rank {spec.lora.r}, alpha {spec.lora.alpha:g}, dropout "
            f"{spec.lora.dropout:g}{', rsLoRA' if spec.lora.rslora else ''}"
        ),
        "Target modules": targets,
        "Learning rate": f"{spec.lr:g}, {spec.schedule}, warm-up {spec.warmup:g}, weight decay {spec.weight_decay:g}",
        "Length of training": f"at most {spec.steps} steps" if spec.steps else f"at most {spec.epochs:g} epochs",
        "Rows a step": spec.batch,
        "Tokens a row": f"at most {spec.max_length}",
        "Precision": f"{spec.precision}, base quantization {spec.quantization}",
        "Seed": spec.seed,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {escape(value)} |" for key, value in rows.items())])


def _reproduce(facts: Facts) -> str:
    record = facts.record
    libraries = ", ".join(
        f"{escape(name, 40)} {escape(version, 40)}" for name, version in record.get("libraries", {}).items()
    )
    return (
        fence(reproduce.command(facts.spec, facts.repo_id), "sh")
        + (
            "\n\nThe whole specification, with every derived value, is in `lora_hub.json`; the course of the training "
            "is in"
        )
        + f" `training_log.jsonl`. Run {escape(record['run'])}"
        + (f", libraries: {libraries}." if libraries else ".")
    )


def _limits(spec: TrainSpec) -> str:
    licence = licence_of(spec.base.licence)
    name = licence.get("license_name", licence["license"])
    return (
        f"An adapter is used with its base and comes under the base's licence ({escape(name)}). The scores hold for "
        f"rows like the"
        " held-out ones; on other text it may do worse than the base."
    )


def _examples(examples: tuple[HeldOutRow, ...]) -> str:
    lines = ["| prompt | reference | base | adapter |", "|---|---|---|---|"]
    for row in examples[:MAX_SHARED_ROWS]:
        lines.append(
            "| "
            + " | ".join(
                escape(text, 300)
                for text in (row.prompt, row.reference, row.answers[BASE].text, row.answers[ADAPTER].text)
            )
            + " |"
        )
    return "\n".join(lines)
