"""The card as one page: its picture, what was forgotten, versions, evaluation results and second language; of a size
that a page can show, whatever strangers wrote."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import yaml
from huggingface_hub import HfApi
from sample_adapters import SCORES, make_spec, publish

from lora_hub import hub as hubs
from lora_hub.core.schema import Answer, HeldOutRow, Judgement, Score
from lora_hub.hub.card import card, eval_results, figures, versions_part
from lora_hub.hub.card.card import facts_of, render_card
from lora_hub.hub.record import make_record
from lora_hub.ui.render.shelf import render_card as shelf_card
from lora_hub.works_in import marks

NASTY = '</text><script>alert(1)</script>|"&#x27;\u202e\x00\x1b\n---\n<!-- ```'


def make_row(number: int, right: str, answer: str, base: str = "ham", text: str = "") -> HeldOutRow:
    said = {"base": Answer(text=base), "adapter": Answer(text=answer)}
    judged = Judgement(metric="accuracy", score=100.0 * (right == answer), right=right == answer)
    text = text or f"QUESTION-{number}-"
    return HeldOutRow(
        row=number,
        inputs={"text": text},
        prompt=f"Is it?\n{text}",
        reference=right,
        answers=said,
        judgements={"adapter": judged},
    )


def make_rows(count: int = 40) -> list[HeldOutRow]:
    """Every fourth one wrong."""
    return [
        make_row(one, ("spam", "ham")[one % 2], "ham" if one % 2 or one % 4 == 0 else "spam") for one in range(count)
    ]


def record_of(spec, scores=SCORES, run: str = "run-1", **counts):
    return make_record(spec, spec.task, run, scores, {"train_rows": 480, "eval_rows": 120, **counts}, 10)


def labels_of(*labels: str):
    spec = make_spec()
    return spec.model_copy(update={"task": spec.task.model_copy(update={"labels": labels})})


def test_the_confusion_matrix_counts_every_row_once() -> None:
    rows = [make_row(1, "ham", "ham"), make_row(2, "ham", "spam"), make_row(3, "spam", "who knows")]
    labels, counts = figures.count_answers(make_spec().task, rows)
    assert labels == ["ham", "spam"] and counts == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    svg = figures.draw(make_spec().task, rows, SCORES)
    words = [one.text for one in ElementTree.fromstring(svg).iter() if one.tag.endswith("text")]
    assert {"ham (1)", "spam (2)", "Lines: the right label, 3 held-out rows", "none of them (3)"} <= set(words)
    assert words.count("1") == 4
    assert figures.is_plain(svg)


def test_many_and_hostile_labels_make_a_small_plain_picture() -> None:
    labels = tuple(f"{NASTY}{number}" * 9 for number in range(300))
    rows = [make_row(number, label, labels[-number]) for number, label in enumerate(labels)]
    svg = figures.draw(labels_of(*labels).task, rows, SCORES)
    assert figures.is_plain(svg) and len(svg) < 80_000 and b"<script" not in svg and "\u202e" not in svg.decode()
    named, counts = figures.count_answers(labels_of(*labels).task, rows)
    assert len(named) == figures.MOST_LABELS and sum(map(sum, counts)) == 300


def test_a_text_tasks_picture_is_its_scores_and_of_none_there_is_none() -> None:
    task = make_spec().task.model_copy(update={"output": "text", "labels": ()})
    svg = figures.draw(task, [], SCORES).decode()
    assert "<circle" in svg and ">95.0<" in svg and figures.is_plain(svg.encode())
    assert "۹۵٫۰" in figures.draw(task, [], SCORES, "fa").decode()
    assert figures.draw(task, [], {"base": {}, "adapter": {}}) == b""


@pytest.mark.parametrize(
    "svg",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://elsewhere/x.png"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="a"/><use href="#a"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><rect fill="url(http://elsewhere)"/></svg>',
        "<svg>" + "<g>" * 5_000 + "</g>" * 5_000 + "</svg>",
        "<svg>" + " " * 300_000 + "</svg>",
        "no picture",
    ],
)
def test_a_strangers_picture_is_shown_only_where_it_is_shapes_and_words(svg: str) -> None:
    assert not figures.is_plain(svg.encode()) and figures.numbers_in(svg.encode()) == []


def test_the_numbers_of_a_picture_are_those_that_are_seen() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><text>9<g/>5.0</text><text>right</text></svg>'
    assert figures.numbers_in(svg) == ["95.0"]


def test_a_picture_that_was_replaced_is_there_for_a_check(hub, tmp_path) -> None:
    ref = publish(tmp_path, "with-another-picture")
    HfApi().upload_file(path_or_fileobj=b"<svg><script/></svg>", path_in_repo="results.svg", repo_id=ref.repo_id)
    assert hubs.read_figures(ref.repo_id, "](results.svg)", strange=True) == {"results.svg": b""}
    assert hubs.read_figures(ref.repo_id, "](results.svg)") == {}


def test_the_shelf_shows_the_repos_own_picture_and_no_other() -> None:
    text = "![a *b* <c>](results.svg) ![x](other.svg) ![y](http://elsewhere/results.svg)"
    shown = shelf_card.card_html(text, "http://hub/o/n", "en", {"results.svg": b"<svg/>"})
    assert re.findall("<img [^>]*>", shown) == [
        '<img class="lh-figure" alt="a *b* &lt;c&gt;" src="data:image/svg+xml;base64,PHN2Zy8+">'
    ]
    assert "elsewhere" not in shown


def test_right_and_wrong_rows_are_shown_where_rows_are_shared() -> None:
    spec, rows = make_spec(share_rows=True), make_rows()
    text = render_card(record_of(spec), "o/n", examples=rows)
    right, wrong = text.split("It was right:")[1].split("## Use it")[0].split("It was wrong:")
    assert right.count("QUESTION-") == wrong.count("QUESTION-") == 5
    assert "QUESTION-0-" in wrong and "QUESTION-1-" in right
    assert "QUESTION-" not in render_card(record_of(make_spec()), "o/n", examples=rows)


def test_what_was_forgotten_is_told_with_its_interval() -> None:
    told = {"base": 42.5, "adapter": 30.0, "rows": 80, "difference": -12.5, "low": -20.0, "high": -5.0}
    text = render_card(record_of(make_spec()) | {"forgotten": told}, "o/n")
    assert "of 80 general questions outside its task it answers 30.0 % right and the base 42.5 %" in text
    assert "-12.5 points (95 % interval -20.0 to -5.0). It forgot some of what the base knows." in text
    better, chance = {**told, "low": 0.5, "high": 3.0}, {**told, "high": 1.0}
    assert "answers general questions better" in render_card(record_of(make_spec()) | {"forgotten": better}, "o/n")
    assert "The difference can be chance." in render_card(record_of(make_spec()) | {"forgotten": chance}, "o/n")
    damaged = {**told, "low": float("nan")}
    assert "What it forgot" not in render_card(record_of(make_spec()) | {"forgotten": damaged}, "o/n")


def test_the_difference_of_versions_is_newcombes() -> None:
    # 56 of 70 against 48 of 80: Newcombe 1998, table II, method 10 without continuity correction
    now, before = Score(value=80.0, low=69.19, high=87.70), Score(value=60.0, low=49.04, high=70.04)
    points, low, high = versions_part.difference(now, before)
    assert (points, low, high) == (20.0, pytest.approx(5.24, abs=0.03), pytest.approx(33.39, abs=0.03))


def test_versions_tell_what_changed_between_them() -> None:
    old, new = record_of(make_spec(lr=1e-3), run="a", train_rows=300), record_of(make_spec(), run="b")
    old["dataset"]["fingerprint"] = "fedcba9876543210"
    old["metrics"]["adapter"]["accuracy"] = {"value": 90.0, "low": 84.0, "high": 94.0}
    text = render_card(new, "o/n", earlier=(("v1", old),))
    table = text.split("## Versions")[1]
    assert "data 0123456789abcdef (600 rows) instead of fedcba9876543210 (600 rows)" in table
    assert "Learning rate 0.0002 instead of 0.001" in table and "Accuracy 5.0 points (-0.3 to 11.7)" in table
    assert "| v1 | 300 | Accuracy 90.0 (84.0 to 94.0) | – |" in table and "`o/n@v1`" in table
    # a record that anybody wrote breaks nothing
    evil = {"version": 1, "run": NASTY, "dataset": {"fingerprint": NASTY, "rows": "x"}, "metrics": [], "task": 3}
    rows = render_card(new, "o/n", earlier=(("v2", evil), ("v1", {}))).split("## Versions")[1].splitlines()
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in rows if line.startswith("|"))


def test_where_it_works_decides_which_code_is_shown() -> None:
    found = marks({"peft_type": "LORA", "r": 16, "use_dora": True}, None)
    text = render_card(record_of(make_spec()), "o/n", works_in=found)
    assert "| vLLM | no | " in text and "DoRA" in text and "### vLLM" not in text and "### Python, with PEFT" in text
    assert "### vLLM" in render_card(
        record_of(make_spec()), "o/n", works_in=marks({"peft_type": "LORA", "r": 16}, None)
    )


def test_a_dataset_of_the_hub_has_its_evaluation_result() -> None:
    from huggingface_hub import parse_eval_result_entries

    record = record_of(make_spec())
    assert eval_results.results_file(facts_of(record, "o/n"), "http://hub") == b""
    record["dataset"]["source"] = "hub:owner/data"
    content = eval_results.results_file(facts_of(record, "o/n"), "http://hub")
    (entry,) = parse_eval_result_entries(yaml.safe_load(content))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("owner/data", "spam", 95.0)
    assert entry.source_url == "http://hub/o/n" and "95 % interval 91.5 to 98.0" in entry.notes


def test_a_persian_task_has_its_page_in_persian_too() -> None:
    spec = make_spec(share_rows=True)
    spec = spec.model_copy(update={"task": spec.task.model_copy(update={"prompt_language": "fa"})})
    rows = make_rows()
    assert card.second_language(spec, []) == "fa" and card.second_language(make_spec(), rows) == ""
    text = render_card(record_of(spec), "o/n", examples=rows, second="fa", has_figure=True)
    english, persian = text.split('<div dir="rtl">')
    assert "](results.svg)" in english and "](results.fa.svg)" in persian and "```" not in persian
    assert "۹۵٫۰ (۹۱٫۵ تا ۹۸٫۰)" in persian
    assert not re.findall("[a-z]{2,} [a-z]{2,}", persian.replace("«Use it»", "")), "a sentence without Persian"
    shown = shelf_card.card_html(text.split("---\n", 2)[2], "http://hub/o/n", "fa")
    assert shown.index('<div dir="rtl">') < shown.index("<h2>Results") and "&lt;div" not in shown


def test_a_card_has_a_bounded_size() -> None:
    labels = tuple(f"{number}{'x' * 900}" for number in range(100))
    spec = labels_of(*labels).model_copy(update={"share_rows": True, "name": "n" * 10_000})
    task = spec.task.model_copy(
        update={"template": "{instruction}\n" + "words " * 50_000 + "{text}", "prompt_language": "fa"}
    )
    info = spec.dataset.model_copy(update={"name": "d" * 9_000, "columns": ("c" * 9_000,) * 2_000})
    spec = spec.model_copy(update={"task": task, "dataset": info})
    record = record_of(spec)
    earlier = tuple((f"v{number}", record | {"run": str(number)}) for number in range(9, 0, -1))
    rows = [make_row(number, label, labels[-number], text="r" * 90_000) for number, label in enumerate(labels)]
    text = render_card(record, "o/n", examples=rows, second="fa", earlier=earlier, has_figure=True)
    assert len(text.split("---\n", 2)[2]) < shelf_card.LONGEST
    assert "too long for this page" in text


def test_labels_that_are_too_long_for_a_card_are_read_from_the_record() -> None:
    text = render_card(record_of(labels_of(*(f"{number}{'x' * 90}" for number in range(100)))), "o/n")
    assert "hf_hub_download('o/n', \"lora_hub.json\")" in text


def test_a_published_card_has_its_picture_and_its_versions(tmp_path) -> None:
    name, rows = "test-card-page", make_rows()
    publish(tmp_path, name, examples=rows)
    assert publish(tmp_path, name, examples=rows).versions == ("v1",), "published twice it is one version"
    second = publish(tmp_path, name, seed=2, spec=make_spec(name, lr=1e-3), examples=rows)
    assert second.versions == ("v2", "v1")
    text = hubs.read_card(name)
    assert "Learning rate 0.001 instead of 0.0002" in text and "| v1 | 480 |" in text
    assert publish(tmp_path, name, seed=2, spec=make_spec(name, lr=1e-3), examples=rows).versions == second.versions
    (drawn,) = hubs.read_figures(name, text).values()
    assert b"40 held-out rows" in drawn
    import httpx

    answer = httpx.get(f"{hubs.hub_url()}/{second.repo_id}/resolve/main/results.svg")
    assert answer.headers["content-type"] == "image/svg+xml" and "sandbox" in answer.headers["content-security-policy"]
    assert f"/{second.repo_id}/resolve/main/results.svg" in httpx.get(f"{hubs.hub_url()}/{second.repo_id}").text
