"""The scores in the form in which the Hub collects them on a dataset's page: `.eval_results/lora_hub.yaml`, a list of
entries (https://huggingface.co/docs/hub/eval-results).

The form names a dataset of the Hub: of rows that were uploaded there is no entry, and the scores stand in the card's
`model-index` alone.
"""

from lora_hub.core.schema import ADAPTER
from lora_hub.evaluation import metrics
from lora_hub.hub.card.card_metadata import Facts

RESULTS_FILE = ".eval_results/lora_hub.yaml"


def results_file(facts: Facts, hub: str) -> bytes:
    """The file's content; empty where there is nothing for it to tell. hub: the Hub's address."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    spec, scores = facts.spec, facts.scores(ADAPTER)
    names = [name for name in spec.task.metrics if name in scores]
    if not facts.hub_dataset or spec.test_dataset is not None or not names:
        return b""
    score = scores[names[0]]
    notes = (
        f"{metrics.title_of(names[0]).en} in per cent, 95 % interval {score.low:.1f} to {score.high:.1f}, "
        f"{score.rows} held-out rows"
    )
    entry = EvalResultEntry(
        dataset_id=facts.hub_dataset,
        task_id=spec.task.id,
        value=round(score.value, 2),
        source_url=f"{hub}/{facts.repo_id}",
        source_name="Model card",
        notes=notes,
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True).encode()
