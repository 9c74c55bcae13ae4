"""How long the rows are in the base's tokens, and what that means for a run; part of the pre-flight.

    measured = measure(examples, task, base, max_length)     None: the base's tokenizer is not on this disk
    measured.lengths                                         the Lengths that the report and the run's record keep
    find_lengths(measured.lengths, measured)                 findings: rows too long, hardly anything trained

It counts exactly what training encodes, with the same functions (`template.encode_prompts`, `template.encode_answers`)
and the same ids. It does so without transformers (`light_tokenizer`), so that the page need not wait for that import.
Nothing is downloaded: the tokenizer is read from the base's folder or the Hub client's cache.

Two shortcuts make it fast:

- A sample of at most 2,000 rows, evenly spread from the first row to the last, the same every time. If rows are very
  long, the sample is smaller, so that at most `MAX_CHARACTERS` are tokenized, but never below `LEAST_ROWS` rows.
- A text is cut at `CUT_FACTOR` characters for each token that base or run can take, before it is tokenized, and its
  count is scaled up in proportion. Such a row is far too long in any case; only the excess is an estimate.

In a chat, every answer with its preceding turns is one example and counts as a row, as in training.
"""

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.core.schema import BaseModel, Lengths, Task
from lora_hub.data.prompts import template
from lora_hub.data.prompts.light_tokenizer import LightTokenizer, read_tokenizer
from lora_hub.data.prompts.prepare import Example, written
from lora_hub.data.prompts.template_process import bound_template
from lora_hub.data.tables.findings import Finding, finding

SAMPLE = 2000
QUANTILES = (0, 5, 25, 50, 75, 95, 99, 100)
# Two to four times the characters of a token in ordinary text, in any script.
CUT_FACTOR = 12
MAX_CHARACTERS = 2_000_000
LEAST_ROWS = 50
# Below this share of trained tokens, most of a run's time is spent on prompts.
LITTLE_TRAINED = 0.02


@dataclass(frozen=True)
class Measured:
    """`lengths`, and for each sampled row its number (from 1), the tokens of its prompt and the tokens of its
    answer."""

    lengths: Lengths
    numbers: tuple[int, ...]
    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def rows_over(self, tokens: int) -> list[int]:
        """Numbers of the sampled rows with more than `limit` tokens, ascending; a chat's row only once."""
        triples = zip(self.numbers, self.prompt, self.answer, strict=True)
        return sorted({number for number, prompt, answer in triples if prompt + answer > tokens})

    @property
    def tokens_row(self) -> float:
        """Mean tokens of a row, for `estimate`."""
        return (sum(self.prompt) + sum(self.answer)) / len(self.numbers)


def measure(
    examples: Sequence[Example],
    task: Task,
    base: BaseModel,
    max_length: int,
    *,
    rows: int | None = None,
    sample: int = SAMPLE,
    tokenizer: LightTokenizer | None = None,
) -> Measured | None:
    """Tokens of a sample of the examples. max_length: tokens a row may have in the run. rows: the number of rows, if
    `examples` are only part of them. tokenizer: the base's, if it was already read. None if there are no examples or
    the base's tokenizer is not on this disk.

    Raises BaseError if the tokenizer's files are damaged, DataError if its chat template refuses the messages.
    """
    tokenizer = (tokenizer or tokenizer_of(base)) if examples else None
    if tokenizer is None:
        return None
    bound = CUT_FACTOR * max(base.context, max_length)
    chosen = _spread(examples, sample, bound)
    prompt, answer, begin = _count(tokenizer, task, written(tokenizer, chosen), bound)
    total = [p + a for p, a in zip(prompt, answer, strict=True)]
    turns = len(examples) / len({example.row for example in examples}) if task.is_chat else 1
    lengths = Lengths(
        base=base.id,
        rows=len(examples) if rows is None else max(len(examples), round(rows * turns)),
        sampled=len(chosen),
        prompt=_quantiles(prompt),
        answer=_quantiles(answer),
        total=_quantiles(total),
        max_length=max_length,
        context=base.context,
        too_long=sum(tokens > max_length for tokens in total),
        # the last token of an answer is the end token, which is not part of its text
        answers_cut=sum(tokens - 1 > max_length for tokens in total),
        over_context=sum(tokens > base.context for tokens in total),
        trained_share=_trained_share(prompt, answer, max_length),
        begin=begin,
    )
    return Measured(lengths, tuple(example.row for example in chosen), tuple(prompt), tuple(answer))


def tokenizer_of(base: BaseModel) -> LightTokenizer | None:
    """The base's tokenizer; None if it is not on this disk. Raises BaseError if its files are damaged."""
    folder = _folder_of(base)
    tokenizer = read_tokenizer(folder) if folder else None
    if tokenizer is None or bases.is_ours(base):
        return tokenizer
    return bound_template(tokenizer, _("the base {base}", base=base.id))


def find_lengths(lengths: Lengths, measured: Measured | None = None) -> list[Finding]:
    """The findings about the lengths for a run. `measured`: from `measure`, to include the row numbers.

    Codes: `too-long` (an error if more than half of the rows are left out, because such a run is refused) and
    `little-trained` (info).
    """
    found = []
    if lengths.too_long or lengths.over_context:
        found.append(_too_long(lengths, measured))
    if 0 < lengths.trained_share < LITTLE_TRAINED:
        share = round(lengths.trained_share * 100, 1)
        found.append(
            finding(
                "little-trained",
                "info",
                _("Only {share} % of the tokens are trained: the answers are short beside their prompts.", share=share),
                hint=_(
                    "Nothing is wrong with that, but most of the time goes into reading. Shorter inputs train faster."
                ),
                count=lengths.sampled,
            )
        )
    return found


def _too_long(lengths: Lengths, measured: Measured | None) -> Finding:
    part, context, longest = lengths.max_length <= lengths.context, lengths.context, lengths.total[-1]
    count = lengths.too_long if part else lengths.over_context
    limit = lengths.max_length if part else context
    if lengths.sampled >= lengths.rows:
        of = _n("{part:,} of {count:,} row", "{part:,} of {count:,} rows", part=count, count=lengths.sampled)
    else:
        of = _n(
            "{part:,} of {count:,} sampled row", "{part:,} of {count:,} sampled rows", part=count, count=lengths.sampled
        )
    share = count / lengths.sampled * 100
    known = {
        "count": count,
        "of": of,
        "percent": round(share, 1 if share >= 0.1 else 2),
        "limit": limit,
        "longest": longest,
    }
    if part:
        said = _n(
            "{of} ({percent} %) is longer than {limit:,} tokens and will be left out; the longest has {longest:,}.",
            "{of} ({percent} %) are longer than {limit:,} tokens and will be left out; the longest has {longest:,}.",
            **known,
        )
        if lengths.answers_cut:
            said = joined(
                said,
                _("Cut there instead, {cut:,} would lose the end of the answer or all of it.", cut=lengths.answers_cut),
            )
    else:
        said = _n(
            (
                "{of} ({percent} %) is longer than the {limit:,} tokens that the base can read at once, and "
                "max_length = "
                "{max_length:,} lets it in."
            ),
            (
                "{of} ({percent} %) are longer than the {limit:,} tokens that the base can read at once, and "
                "max_length = "
                "{max_length:,} lets them in."
            ),
            **known,
            max_length=lengths.max_length,
        )
    severity = "error" if part and 2 * count > lengths.sampled else "warning"
    return finding(
        "too-long",
        severity,
        said,
        hint=_hint(lengths),
        rows=measured.rows_over(limit) if isinstance(measured, Measured) else (),
        count=count,
    )


def _hint(lengths: Lengths) -> Message:
    """The advice: raise max_length up to the base's context; beyond that, another base or shorter inputs."""
    context, longest = lengths.context, lengths.total[-1]
    if lengths.max_length > context:
        return _("Set max_length to {context:,} or less, or choose a base with a longer context.", context=context)
    if longest <= context:
        return _(
            "Raise max_length to {longest:,} (the base can read {context:,}), or shorten the inputs.",
            longest=longest,
            context=context,
        )
    if lengths.max_length < context:
        return _(
            (
                "Raise max_length to {context:,}, the base's context; for the {left:,} longer still choose a base "
                "with a "
                "longer context, or shorten the inputs."
            ),
            context=context,
            left=lengths.over_context,
        )
    return _(
        "The base can read no more than {context:,} tokens: "
        "choose a base with a longer context, or shorten the inputs.",
        context=context,
    )


def _folder_of(base: BaseModel) -> Path | None:
    """The folder of the tokenizer's files; None for a Hub base that the cache does not hold."""
    from lora_hub.catalogue.cached import cached_tokenizer

    return bases.folder_of(base) or cached_tokenizer(base)


def _spread(examples: Sequence[Example], sample: int, bound: int) -> list[Example]:
    """At most `sample` examples at equal distances, including the first and the last; fewer if they are long."""
    chosen = _evenly(examples, sample)
    characters = sum(min(bound, _size(example.inputs)) + min(bound, len(example.answer)) for example in chosen)
    if characters > MAX_CHARACTERS:
        chosen = _evenly(chosen, max(LEAST_ROWS, len(chosen) * MAX_CHARACTERS // characters))
    return chosen


def _evenly(examples: Sequence[Example], wanted: int) -> list[Example]:
    if len(examples) <= wanted:
        return list(examples)
    if wanted < 2:
        return list(examples[:wanted])
    return [examples[index * (len(examples) - 1) // (wanted - 1)] for index in range(wanted)]


def _count(
    tokenizer: LightTokenizer, task: Task, examples: list[Example], bound: int
) -> tuple[list[int], list[int], int]:
    """Tokens of each prompt and of each answer, including its end token, and those with which all prompts begin."""
    cut = [_shorten(example.inputs, bound) for example in examples]
    encoded = template.encode_prompts(tokenizer, task, [inputs for inputs, _ in cut])
    prompt = [len(ids) for ids in encoded]
    begin = len(os.path.commonprefix([list(min(encoded)), list(max(encoded))]))
    longer = [index for index, (_, factor) in enumerate(cut) if factor > 1]
    # The frame around the texts does not grow with them.
    bare = template.encode_prompts(tokenizer, task, [_shorten(examples[index].inputs, 0)[0] for index in longer])
    for index, around in zip(longer, bare, strict=True):
        prompt[index] = round(len(around) + (prompt[index] - len(around)) * cut[index][1])
    answers = template.encode_answers(tokenizer, [example.answer[:bound] for example in examples])
    answer = [
        round(len(ids) * max(1.0, len(example.answer) / bound)) for ids, example in zip(answers, examples, strict=True)
    ]
    return prompt, answer, begin


def _shorten(inputs: dict[str, Any], bound: int) -> tuple[dict[str, Any], float]:
    """The inputs cut to `bound` characters, but at least one of each text, and how many times longer they were."""
    size = _size(inputs)
    if size <= bound:
        return inputs, 1.0
    # Cut the same share of each text.
    share = bound / size
    if "messages" in inputs:
        texts = [template.as_text(message.get("content")) for message in inputs["messages"]]
        cut: dict[str, Any] = {
            "messages": [
                {**m, "content": text[: max(1, int(len(text) * share))]}
                for m, text in zip(inputs["messages"], texts, strict=True)
            ]
        }
    else:
        cut = {
            role: text[: max(1, int(len(text) * share))]
            for role, text in ((role, template.as_text(value)) for role, value in inputs.items())
        }
    return cut, size / max(1, _size(cut))


def _size(inputs: dict[str, Any]) -> int:
    """Characters of all inputs together."""
    if "messages" in inputs:
        return sum(len(template.as_text(message.get("content"))) for message in inputs["messages"])
    return sum(len(template.as_text(value)) for value in inputs.values())


def _quantiles(counts: list[int]) -> tuple[int, ...]:
    """Nearest-rank quantiles, so that each is the length of an actual row."""
    ordered = sorted(counts)
    return tuple(ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in QUANTILES)


def _trained_share(prompt: list[int], answer: list[int], max_length: int) -> float:
    """Trained tokens as a share of all tokens, for the rows that training keeps; 0 if it keeps none."""
    kept = [(p, a) for p, a in zip(prompt, answer, strict=True) if p + a <= max_length]
    return sum(a for _, a in kept) / sum(p + a for p, a in kept) if kept else 0.0
