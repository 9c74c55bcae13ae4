"""What a change costs, as CONTRIBUTING.md says it: each kind of thing is added here in a test, in the one place that it
takes, and seen wherever it has to appear. (A task: test_tasks; a format: test_data_formats; a finding:
test_data_findings; a language: test_messages.)"""

import pytest
from sample_adapters import make_spec

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.evaluation import metrics, minimum
from lora_hub.hub.card import card
from lora_hub.hub.record import make_record
from lora_hub.ui import render_data

OWN_TASK = {"title": "Greetings", "instruction": "Greet.", "output": "text", "metrics": ["first_letter", "chrf"]}


def test_a_metric_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="first_letter"):
        catalogue.task_from_dict(OWN_TASK)
    first_letter = metrics.Metric(
        _("First letters"),
        metrics._hit_table(lambda text: text[:1]),
        metrics._mean,
        metrics._first_column,
        counts_rows=True,
        on_hub="first_letter_hit",
    )
    monkeypatch.setitem(metrics.METRICS, "first_letter", first_letter)
    # a task may name it
    task = catalogue.task_from_dict(OWN_TASK)
    with pytest.raises(SpecError, match="first_letter, chrf|exact_match, first_letter"):
        catalogue.task_from_dict({**OWN_TASK, "metrics": ["last_letter"]})
    # it scores, with an interval, judges a row, compares, and can be asked of an adapter
    answers, references = ["hello", "hi", "yo"], ["hey", "hullo", "bye"]
    scores = metrics.score(task, answers, references)
    assert scores["first_letter"].value == pytest.approx(66.67, abs=0.01)
    assert scores["first_letter"].low < 66 < scores["first_letter"].high
    assert [one.right for one in metrics.judge(task, answers, references)] == [True, True, False]
    found = metrics.compare_answers("first_letter", answers, ["x", "x", "x"], references)
    assert (found.better, found.worse) == (2, 0)
    minimum.check_metrics({"first_letter.low": 10.0}, task)
    # and stands on the page and in the card by its title
    assert render_data.metric_title("first_letter", "en") == "First letters"
    assert "First letters" in render_data.task_card(task, "en")
    spec = make_spec().model_copy(update={"task": task})
    made = make_record(spec, task, "run", {"base": scores, "adapter": scores}, {"eval_rows": 3}, 1, found)
    text = card.render_card(made, "owner/name")
    assert "| First letters |" in text and "first_letter_hit" in text
