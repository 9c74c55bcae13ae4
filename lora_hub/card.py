"""Adapter facts -> the model card (README.md) of an adapter's repo, and of the built-in base's.

`render_card` writes the card from an adapter's record (`record.make_record`) and from nothing else, so that the same facts
give the same bytes and a repeated publish changes nothing. Words that come from people (names, titles, labels, columns) pass
`markdown.escape`; the metadata is dumped by `huggingface_hub`'s own card classes. The code that a reader pastes is `snippet`'s.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lora_hub import recipe, snippet
from lora_hub.markdown import escape, fence, plain
from lora_hub.schema import BaseModel, Score, Task, TrainSpec

MAX_SHARED_ROWS = 10

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "exact_match": "Exact match",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rougeL": "ROUGE-L",
}
# The Hub's own ids where they are others than ours.
HUB_METRICS = {"macro_f1": "f1", "rougeL": "rouge"}
DERIVED = ("lora.r", "lora.alpha", "lr", "epochs", "batch", "max_length", "seed")
PIPELINES = {"translation": "translation", "question-answering": "question-answering", "summarization": "summarization"}
# The licence ids that the Hub knows, of those that bases come with; another one is "other" with its name.
LICENCES = {
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc0-1.0",
    "gpl-3.0", "lgpl-3.0", "mpl-2.0", "openrail", "bigscience-bloom-rail-1.0", "bigcode-openrail-m", "gemma", "llama2", "llama3",
    "llama3.1", "llama3.2", "llama3.3", "unknown", "other",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What a card tells.

    record: `lora_hub.json`. base_repo: the base's repo on this Hub, empty where it has none; base_revision: its commit.
    architecture: the class of a local base. languages: ISO codes of the data, where known. examples: held-out rows (prompt,
    reference, base, adapter); shown only where the record's spec says that rows may be shared.
    """

    record: dict[str, Any]
    spec: TrainSpec
    repo_id: str
    base_repo: str = ""
    base_revision: str = ""
    architecture: str = ""
    languages: tuple[str, ...] = ()
    examples: tuple[dict, ...] = ()

    def scores(self, who: str) -> dict[str, Score]:
        return {name: Score(**score) for name, score in self.record["metrics"].get(who, {}).items()}

    @property
    def hub_dataset(self) -> str:
        """The Hub id of the data, where it came from a Hub (`source` is "hub:owner/name")."""
        found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)", self.spec.dataset.source, re.ASCII)
        return found[1] if found else ""


def render_card(
    record: dict[str, Any],
    repo_id: str,
    *,
    base_repo: str = "",
    base_revision: str = "",
    architecture: str = "",
    languages: tuple[str, ...] = (),
    examples: list[dict] | None = None,
) -> str:
    """The whole README.md of an adapter's repo; the arguments are `Facts`'."""
    facts = Facts(record, spec_of(record), repo_id, base_repo, base_revision, architecture, languages, tuple(examples or ()))
    parts = [
        f"# {escape(card_title(facts.spec))}",
        _first_line(facts),
        "## Use it\n\n" + _usage(facts),
        "## Results\n\n" + _results(facts),
        "## What it was trained on\n\n" + _data(facts),
        "## Hyperparameters\n\n" + _hyperparameters(facts.spec),
        "## How to reproduce it\n\n" + _reproduce(facts),
        "## Licence and limits\n\n" + _limits(facts.spec),
    ]
    if facts.examples and facts.spec.share_rows:
        parts.insert(4, "## Held-out examples\n\n" + _examples(facts.examples))
    return _front_matter(adapter_metadata(facts)) + "\n\n".join(parts) + "\n"


def render_base_card(base: BaseModel, repo_id: str) -> str:
    """The README.md of the built-in base's repo."""
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language=list(base.languages) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["lora-hub-base"],
        **_licence(base.licence),
    )
    size = f"{base.parameters / 1e6:.1f} million parameters, " if base.parameters else ""
    text = f"""# {escape(base.title or short_name(base))}

The built-in base of LoRA Hub: a small causal language model ({size}context {base.context} tokens) on which adapters can be trained
and tried with nothing else downloaded. The project's own script made it from nothing; without an adapter it is of little use.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({repo_id!r})
model = AutoModelForCausalLM.from_pretrained({repo_id!r})
```

Weights: sha256 {escape(base.fingerprint or "not recorded", 80)}. Licence: {escape(base.licence)}.
"""
    return _front_matter(data) + text


def card_title(spec: TrainSpec) -> str:
    """The adapter's name, or else its task and base."""
    return plain(spec.name) or f"{plain(spec.task.title.en)} on {short_name(spec.base)}"


def short_name(base: BaseModel) -> str:
    """The last part of a base's id: of `owner/name` the name, of a folder its own name and never the path to it."""
    return plain(PurePath(base.id).name, 96) or "base"


def is_hub_id(base: BaseModel) -> bool:
    """True where the base is a repo on a Hub, and not a folder or the built-in one."""
    return not base.folder and re.fullmatch(r"[\w.-]+/[\w.-]+", base.id, re.ASCII) is not None


def pipeline_tag(task: Task) -> str:
    """The Hub's name for what the task does."""
    return "text-classification" if task.output == "labels" else PIPELINES.get(task.id, "text-generation")


def spec_of(record: dict[str, Any]) -> TrainSpec:
    """The specification that a record tells in parts."""
    dataset = {key: value for key, value in record["dataset"].items() if key not in ("mapping", "train_rows", "eval_rows")}
    mapping = record["dataset"].get("mapping", {})
    return TrainSpec.model_validate({**record["spec"], "task": record["task"], "base": record["base"], "dataset": dataset, "mapping": mapping})


def adapter_metadata(facts: Facts) -> Any:
    """The card's `ModelCardData`."""
    from huggingface_hub import EvalResult, ModelCardData

    spec, task = facts.spec, facts.spec.task
    tested_on = spec.test_dataset or spec.dataset
    results = [
        EvalResult(
            task_type=pipeline_tag(task),
            task_name=_meta(task.title.en),
            dataset_type=facts.hub_dataset or "uploaded-file",
            dataset_name=_meta(tested_on.name) or "uploaded file",
            dataset_split="test" if spec.test_dataset else "held-out",
            metric_type=HUB_METRICS.get(name, name),
            metric_name=METRIC_TITLES.get(name, name),
            metric_value=round(score.value, 2),
        )
        for name, score in facts.scores("adapter").items()
    ]
    more: dict[str, Any] = {"base_model_relation": "adapter"} if facts.base_repo else {}
    # Ours: what a list of adapters shows without opening each repo.
    more["lora_hub"] = {"task": task.id, "title": _meta(card_title(spec)), "base": spec.base.id, "metrics": facts.record["metrics"]}
    return ModelCardData(
        base_model=facts.base_repo or None,
        datasets=[facts.hub_dataset] if facts.hub_dataset else None,
        eval_results=results or None,
        model_name=facts.repo_id.split("/")[-1] if results else None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        language=[code for code in facts.languages if re.fullmatch(r"[a-z]{2,3}", code)] or None,
        library_name="peft",
        pipeline_tag=pipeline_tag(task),
        tags=["lora-hub", "lora", f"task:{task.id}"],
        **_licence(spec.base.licence),
        **more,
    )


def _meta(text: str) -> str:
    """People's words as a value of the metadata. Not every reader of cards looks for its closing dashes on a line of their own."""
    return re.sub("-{3,}", "—", plain(text))


def _front_matter(data: Any) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n"


def _licence(licence: str) -> dict[str, str]:
    """An adapter comes under its base's licence. One that the Hub has no id for is "other" with its name."""
    licence = plain(licence, 60).lower() or "unknown"
    if licence in LICENCES:
        return {"license": licence}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", licence).strip("-.") or "unnamed"}


def _base_words(facts: Facts) -> str:
    base = facts.spec.base
    if facts.base_repo:
        return f"`{facts.base_repo}`"
    kind = f", {escape(facts.architecture)}" if facts.architecture else ""
    mark = f", weights sha256 {escape(base.fingerprint, 80)}" if base.fingerprint else ""
    return f"**{escape(short_name(base))}** (a local folder{kind}{mark}; it is on no Hub)"


def _first_line(facts: Facts) -> str:
    line = f"A LoRA adapter for **{escape(facts.spec.task.title.en)}** on {_base_words(facts)}, made with LoRA Hub."
    base = facts.scores("base")
    for name, score in list(facts.scores("adapter").items())[:1]:
        alone = f" (the base alone: {base[name].value:.1f} %)" if name in base else ""
        line += f" {METRIC_TITLES.get(name, escape(name))}: {score.value:.1f} %{alone}."
    return line


def _usage(facts: Facts) -> str:
    spec = facts.spec
    code = snippet.write(
        spec.task,
        repo_id=facts.repo_id,
        base=facts.base_repo or short_name(spec.base),
        base_revision=facts.base_revision,
        chat_template=spec.base.has_chat_template,
        end_token=facts.record.get("end_token", ""),
    )
    note = "" if facts.base_repo else "Set `BASE` to the folder that holds the base.\n\n"
    labels = ", ".join(escape(label, 60) for label in spec.task.labels[:100])
    return f"`pip install torch transformers peft`\n\n{note}{fence(code, 'python')}" + (f"\n\nIt answers with one of: {labels}." if labels else "")


def _results(facts: Facts) -> str:
    adapter, base = facts.scores("adapter"), facts.scores("base")
    if not adapter:
        return "It was not scored."

    def cell(score: Score | None) -> str:
        return f"{score.value:.1f} ({score.low:.1f} to {score.high:.1f})" if score else "–"

    rows = facts.record["dataset"].get("eval_rows")
    count = f"{rows} held-out rows" if rows else "Held-out rows"
    lines = [f"{count} that were never trained on, the same prompts for both; per cent, with 95 % bootstrap intervals.", ""]
    lines += ["| metric | base | adapter |", "|---|---|---|"]
    lines += [f"| {METRIC_TITLES.get(name, escape(name))} | {cell(base.get(name))} | {cell(adapter[name])} |" for name in adapter]
    return "\n".join(lines)


def _data(facts: Facts) -> str:
    spec, counts = facts.spec, facts.record["dataset"]
    lines = ["| | |", "|---|---|"]
    for title, info, mapping in (("File", spec.dataset, spec.mapping), ("Test file", spec.test_dataset, spec.test_mapping or spec.mapping)):
        if info:
            used = ", ".join(f"{escape(role, 40)} = {escape(column, 60)}" for role, column in mapping.items())
            lines.append(f"| {title} | {escape(info.name)} ({escape(info.format)}), fingerprint {escape(info.fingerprint)} |")
            lines.append(f"| Rows | {info.rows} |")
            lines.append(f"| Columns | {', '.join(escape(column, 60) for column in info.columns[:50])} |")
            lines.append(f"| Used as | {used} |")
    lines += [f"| {title} | {counts[key]} rows |" for title, key in (("Trained on", "train_rows"), ("Held out", "eval_rows")) if counts.get(key)]
    words = "The fingerprint is the start of the file's sha256." + ("" if spec.share_rows else " The rows themselves are not in this repo.")
    return "\n".join(lines) + f"\n\n{words}"


def _hyperparameters(spec: TrainSpec) -> str:
    targets = spec.lora.targets if isinstance(spec.lora.targets, str) else ", ".join(spec.lora.targets)
    rows = {
        "Effort": spec.effort,
        "LoRA": f"rank {spec.lora.r}, alpha {spec.lora.alpha:g}, dropout {spec.lora.dropout:g}{', rsLoRA' if spec.lora.rslora else ''}",
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
    spec, record = facts.spec, facts.record
    on_hub = is_hub_id(spec.base) or spec.base.id == "built-in"
    base = spec.base.id if on_hub else f"FOLDER_OF_{re.sub(r'[^A-Za-z0-9]+', '_', short_name(spec.base))}"
    words = ["python", "-m", "lora_hub", "train", plain(spec.dataset.name), "--task", spec.task.id, "--base", base, "--effort", spec.effort]
    # A comma or equals sign in a column's name cannot be said in one argument: then the columns are as in the table above.
    if not any(sign in column for column in spec.mapping.values() for sign in ",=\n"):
        words += ["--map", ",".join(f"{role}={plain(column)}" for role, column in spec.mapping.items())]
    if spec.test_dataset:
        words += ["--test", plain(spec.test_dataset.name)]
    command = shlex.join(words) + " \\\n  " + shlex.join(["--set", *_settings(spec)])
    libraries = ", ".join(f"{escape(name, 40)} {escape(version, 40)}" for name, version in record.get("libraries", {}).items())
    return (
        fence(command, "sh")
        + "\n\nThe whole specification, with every derived value, is in `lora_hub.json`; the course of the training is in"
        + f" `training_log.jsonl`. Run {escape(record['run'])}"
        + (f", libraries: {libraries}." if libraries else ".")
    )


def _settings(spec: TrainSpec) -> list[str]:
    """KEY=VALUE of what the recipe derives, and of all that is not the default: a later recipe may derive other values."""
    told = []
    for field in recipe.FIELDS:
        value = recipe.value_of(spec, field.key)
        if field.key in DERIVED or value != recipe.value_of_default(field.key):
            told.append(f"{field.key}={','.join(value) if isinstance(value, tuple) else value}")
    return told


def _limits(spec: TrainSpec) -> str:
    licence = _licence(spec.base.licence)
    name = licence.get("license_name", licence["license"])
    return (
        f"An adapter is used with its base and comes under the base's licence ({escape(name)}). The scores hold for rows like the"
        " held-out ones; on other text it may do worse than the base."
    )


def _examples(examples: tuple[dict, ...]) -> str:
    lines = ["| prompt | reference | base | adapter |", "|---|---|---|---|"]
    for row in examples[:MAX_SHARED_ROWS]:
        lines.append("| " + " | ".join(escape(row.get(key, ""), 300) for key in ("prompt", "reference", "base", "adapter")) + " |")
    return "\n".join(lines)
