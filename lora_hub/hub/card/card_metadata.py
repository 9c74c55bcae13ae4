"""The head of a model card: the metadata that the Hub reads, in `huggingface_hub`'s own card classes; and the facts it
is from.

`pipeline_tag`, licence and metrics are the Hub's ids; the scores are evaluation results in the Hub's form
(`model-index`), per cent. The key `lora_hub` is ours: base and adapter with intervals, for a list that opens no repo.
"""

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from lora_hub.catalogue import bases
from lora_hub.core.schema import BaseModel, HeldOutRow, Score, Task, TrainSpec
from lora_hub.evaluation import metrics
from lora_hub.hub.card.markdown import plain
from lora_hub.hub.composition import Composition
from lora_hub.hub.record import COUNTS
from lora_hub.works_in import Mark, shape_of

# A tag of an adapter that goes on from another, or is a sum with it: its repo. (`base_model` is whoever answers below.)
MADE_FROM = "made-from:"
PIPELINES = {"translation": "translation", "question-answering": "question-answering", "summarization": "summarization"}
# The licence ids that the Hub knows, of those that bases come with; another one is "other" with its name.
LICENCES = {
    "apache-2.0",
    "mit",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc0-1.0",
    "gpl-3.0",
    "lgpl-3.0",
    "mpl-2.0",
    "openrail",
    "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m",
    "gemma",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "unknown",
    "other",
}


@dataclass(frozen=True)
class Facts:
    """What a card tells.

    record: `lora_hub.json`. base_repo: the base's repo on this Hub, empty where it has none; base_revision: its commit.
    architecture: the class of a local base. languages: ISO codes of the data, where known. examples: held-out rows
    with everybody's answers; shown only where the record's spec says that rows may be shared. owner: the
    account that published it first. size: bytes of the weights. second: the language beside English that the card is
    in, "" for none. has_figure: `figures.draw` drew something, which lies beside the card. earlier: the versions before
    this one with their records, the newest first. works_in: where it works, as `works_in.marks` says. told_base: what
    decided that of the base, for those who have not got its files.
    """

    record: dict[str, Any]
    spec: TrainSpec
    repo_id: str
    base_repo: str = ""
    base_revision: str = ""
    architecture: str = ""
    languages: tuple[str, ...] = ()
    examples: tuple[HeldOutRow, ...] = ()
    owner: str = ""
    size: int = 0
    second: str = ""
    has_figure: bool = False
    earlier: tuple[tuple[str, dict[str, Any]], ...] = ()
    works_in: tuple[Mark, ...] = ()
    told_base: dict[str, Any] = field(default_factory=dict)

    def scores(self, who: str) -> dict[str, Score]:
        return {name: Score(**score) for name, score in self.record["metrics"].get(who, {}).items()}

    @property
    def hub_dataset(self) -> str:
        """The Hub id of the data, where it came from a Hub (`source` is "hub:owner/name")."""
        found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)", self.spec.dataset.source, re.ASCII)
        return found[1] if found else ""


def card_title(spec: TrainSpec) -> str:
    """The adapter's name, or else its task and base."""
    return plain(spec.name) or f"{plain(spec.task.title.en)} on {short_name(spec.base)}"


def short_name(base: BaseModel) -> str:
    """The last part of a base's id: of `owner/name` the name, of a folder its own name and never the path to it."""
    return plain(PurePath(base.id).name, 96) or "base"


def is_hub_id(base: BaseModel) -> bool:
    """True where the base is a repo on a Hub, and not a folder or the built-in one."""
    return bases.folder_of(base) is None and bases.HUB_ID.fullmatch(base.id) is not None


def pipeline_tag(task: Task) -> str:
    """The Hub's name for what the task does."""
    return "text-classification" if task.output == "labels" else PIPELINES.get(task.id, "text-generation")


def spec_of(record: dict[str, Any]) -> TrainSpec:
    """The specification that a record tells in parts."""
    dataset = {key: value for key, value in record["dataset"].items() if key not in ("mapping", *COUNTS)}
    mapping = record["dataset"].get("mapping", {})
    return TrainSpec.model_validate(
        {**record["spec"], "task": record["task"], "base": record["base"], "dataset": dataset, "mapping": mapping}
    )


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
            dataset_split="test" if spec.test_rows else "held-out",
            metric_type=(metrics.METRICS[name].on_hub or name) if name in metrics.METRICS else name,
            metric_name=metrics.title_of(name).en,
            metric_value=round(score.value, 2),
        )
        for name, score in facts.scores("adapter").items()
        if name in task.metrics
    ]
    more: dict[str, Any] = {"base_model_relation": "adapter"} if facts.base_repo else {}
    # Ours: what a list of adapters shows without opening each repo.
    more["lora_hub"] = {
        "task": task.id,
        "title": _meta(card_title(spec)),
        "base": spec.base.id,
        "metrics": facts.record["metrics"],
        **({"owner": facts.owner} if facts.owner else {}),
        **({"size": facts.size} if facts.size else {}),
        "lora": shape_of(spec) | ({"base": facts.told_base} if facts.told_base else {}),
    }
    return ModelCardData(
        base_model=facts.base_repo or None,
        datasets=[facts.hub_dataset] if facts.hub_dataset else None,
        eval_results=results or None,
        model_name=facts.repo_id.split("/")[-1] if results else None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        language=[code for code in facts.languages if re.fullmatch(r"[a-z]{2,3}", code)] or None,
        library_name="peft",
        pipeline_tag=pipeline_tag(task),
        tags=["lora-hub", "lora", f"task:{task.id}", *(f"{MADE_FROM}{repo}" for repo in _made_from(facts))],
        **licence_of(spec.base.licence),
        **more,
    )


def _made_from(facts: Facts) -> list[str]:
    """Repos of the adapters that this one goes on from or is the sum of."""
    told = facts.record.get("composition")
    places = [part.place for part in Composition.model_validate(told).parts if part.revision] if told else []
    places += [facts.spec.parent.repo_id] if facts.spec.parent is not None else []
    repos = dict.fromkeys(place.partition("@")[0] for place in places)
    return [repo for repo in repos if bases.HUB_ID.fullmatch(repo) and repo != facts.repo_id]


def _meta(text: str) -> str:
    """People's words as a value of the metadata. Not every reader of cards looks for its closing dashes on a line of
    their own."""
    return re.sub("-{3,}", "—", plain(text))


def licence_of(licence: str) -> dict[str, str]:
    """The metadata's licence: an adapter comes under its base's. One that the Hub has no id for is "other" with its
    name."""
    licence = plain(licence, 60).lower() or "unknown"
    if licence in LICENCES:
        return {"license": licence}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", licence).strip("-.") or "unnamed"}


def front_matter(data: Any) -> str:
    """Card data as it stands at the head of README.md."""
    return f"---\n{data.to_yaml()}\n---\n\n"
