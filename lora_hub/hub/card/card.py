"""Adapter facts -> the model card (README.md) of an adapter's repo, and of the built-in base's.

`render_card` writes the card from an adapter's record (`record.make_record`) and from nothing else, so that the same
facts give the same bytes and a repeated publish changes nothing. It is one page: what the adapter is, how good it is,
how it is used, how it came about; in English, and below that its sentences in the language of the task's prompts, where
there is a translation. Words that come from people (names, titles, labels, columns, rows) pass `markdown.escape` and
are cut, so that no card is longer than a page can show. The metadata at its head is `card_metadata`'s.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from lora_hub.core.languages import arabic_share
from lora_hub.core.languages import languages as translated_languages
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BaseModel, HeldOutRow, TrainSpec
from lora_hub.hub.card import composed_part, origin_part, results_part, use_part
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
from lora_hub.hub.card.versions_part import versions
from lora_hub.hub.card.words import Words, raw

# Around the part in a language that is written from the right.
RIGHT_TO_LEFT, ITS_END = '<div dir="rtl">', "</div>"
# Of letters: from this share on the rows are in Persian, whatever the prompt is in.
MOSTLY = 0.5


def render_card(record: dict[str, Any], repo_id: str, **known: Any) -> str:
    """The whole README.md of an adapter's repo. known: what else `Facts` tells."""
    return render(facts_of(record, repo_id, **known))


def facts_of(
    record: dict[str, Any], repo_id: str, *, examples: Sequence[HeldOutRow] | None = None, **known: Any
) -> Facts:
    """examples: held-out rows with their answers; they are printed only where the record's spec shares rows."""
    return Facts(record, spec_of(record), repo_id, examples=tuple(examples or ()), **known)


def render(facts: Facts) -> str:
    """The card of these facts."""
    tell = Words("en")
    parts = [f"# {escape(card_title(facts.spec))}", _first_line(facts, tell)]
    if facts.second:
        parts.append(Words(facts.second)(_("This page is in this language, too, further below.")))
    for title, text in _sections(facts, tell):
        parts.append(f"## {title}\n\n{text}")
    return front_matter(adapter_metadata(facts)) + "\n\n".join([*parts, *_second(facts)]) + "\n"


def second_language(spec: TrainSpec, rows: Sequence[HeldOutRow]) -> str:
    """The language beside English that a card is in: that of the task's prompts, or Persian where the rows mostly are;
    empty for none."""
    told = spec.task.prompt_language
    if told and told != "en" and told in translated_languages():
        return str(told)
    text = " ".join(str(said) for row in rows for said in (row.reference, *row.inputs.values()))
    return "fa" if "fa" in spec.base.languages and arabic_share(text) > MOSTLY else ""


def _sections(facts: Facts, tell: Words) -> Iterator[tuple[str, str]]:
    yield "Results", results_part.results(facts, tell)
    if facts.examples and facts.spec.share_rows:
        yield "Held-out examples", results_part.examples(facts, tell)
    yield "Use it", use_part.usage(facts, tell)
    yield from _making(facts, tell)
    if told := versions(facts, tell):
        yield "Versions", told
    yield "Licence and limits", _limits(facts.spec, tell)


def _making(facts: Facts, tell: Words) -> Iterator[tuple[str, str]]:
    """How it came about: by a training, or as the sum of others."""
    composition = composed_part.composition_of(facts.record)
    if composition is None:
        yield "What it was trained on", origin_part.data(facts, tell)
        yield "Hyperparameters", origin_part.hyperparameters(facts.spec)
        yield "How to reproduce it", origin_part.again(facts)
        return
    again, check = (fence(line, "sh") for line in composed_part.commands(facts, composition))
    yield "What it is made of", composed_part.recipe(composition)
    yield "The examples", origin_part.data(facts, tell, composed=True)
    checked = f"Its figures are computed again from the same file and the parts at their commits by\n\n{check}"
    yield "How to reproduce it", f"{again}\n\nThe whole recipe is in `lora_hub.json`. {checked}"


def _second(facts: Facts) -> list[str]:
    """The same in the second language, without the code, which is the same in all."""
    if not facts.second:
        return []
    tell = Words(facts.second)
    shown: list[tuple[Message, str]] = [(_("Results"), results_part.results(facts, tell))]
    if facts.examples and facts.spec.share_rows:
        shown.append((_("Held-out examples"), results_part.examples(facts, tell)))
    use = [tell(_("The commands and the code are above, under “Use it”.")), use_part.works_in(facts, tell)]
    shown.append((_("Use it"), "\n\n".join(filter(None, [*use, use_part.labels(facts, tell)]))))
    composed = composed_part.composition_of(facts.record) is not None
    shown.append(
        (
            _("The examples") if composed else _("What it was trained on"),
            origin_part.data(facts, tell, composed=composed),
        )
    )
    if told := versions(facts, tell):
        shown.append((_("Versions"), told))
    shown.append((_("Licence and limits"), _limits(facts.spec, tell)))
    title = facts.spec.name or tell.title(facts.spec.task.title)
    parts = [f"# {escape(title)}", _first_line(facts, tell), *(f"## {tell(name)}\n\n{text}" for name, text in shown)]
    return ["---", RIGHT_TO_LEFT, *parts, ITS_END]


def _first_line(facts: Facts, tell: Words) -> str:
    task = tell.title(facts.spec.task.title)
    line = tell(
        _("A LoRA adapter for **{task}** on {base}, made with LoRA Hub."), task=raw(task), base=raw(_base(facts, tell))
    )
    return " ".join(filter(None, [line, _parent(facts, tell), results_part.headline(facts, tell)]))


def _parent(facts: Facts, tell: Words) -> str:
    """Which adapter the training goes on from, to the commit; empty where it began anew."""
    before = facts.spec.parent
    if before is None:
        return ""
    if not before.repo_id:
        return tell(_("Its training goes on from the adapter of the run {run}."), run=raw(f"`{escape(before.run)}`"))
    name = " ".join(filter(None, [f"`{escape(before.repo_id, 200)}`", escape(before.version, 60)]))
    commit = raw(f"`{escape(before.revision, 64)}`")
    return tell(_("Its training goes on from {adapter} (commit {commit})."), adapter=raw(name), commit=commit)


def _base(facts: Facts, tell: Words) -> str:
    base = facts.spec.base
    name = raw(f"`{facts.base_repo}`" if facts.base_repo else f"**{escape(short_name(base))}**")
    if base.origin is not None:
        copy = raw(f"`{escape(base.origin.file)}`, {escape(base.origin.quantization, 20)}")
        mark = raw(escape(base.origin.sha256, 64))
        if base.origin.package:
            said = _(
                "{base} (trained on a rounded copy of its weights: {file} from the package {package}, sha256 {mark})"
            )
            return tell(said, base=name, file=copy, package=raw(f"`{escape(base.origin.package)}`"), mark=mark)
        return tell(
            _("{base} (trained on a rounded copy of its weights: {file}, sha256 {mark})"),
            base=name,
            file=copy,
            mark=mark,
        )
    if facts.base_repo:
        return name.en
    known = [escape(facts.architecture), f"sha256 {escape(base.fingerprint, 80)}" if base.fingerprint else ""]
    known = ", ".join(filter(None, known))
    if not known:
        return tell(_("{base} (a local folder; it is on no Hub)"), base=name)
    return tell(_("{base} (a local folder, {facts}; it is on no Hub)"), base=name, facts=raw(known))


def _limits(spec: TrainSpec, tell: Words) -> str:
    licence = licence_of(spec.base.licence)
    name = licence.get("license_name", licence["license"])
    return tell(
        _(
            "An adapter is used with its base and comes under the base's licence ({licence}). The scores hold for rows "
            "like the held-out ones; on other text it may do worse than the base."
        ),
        licence=raw(escape(name)),
    )


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
