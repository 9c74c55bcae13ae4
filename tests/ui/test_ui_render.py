"""The page without a browser: what is rendered, escaped and translated."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import polars
import pytest
from small_data import held_out_row
from test_ui_review import spec_for

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import languages, spec_fields
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, as_message
from lora_hub.core.schema import (
    AdapterRef,
    Answer,
    DatasetInfo,
    Divergence,
    Failure,
    HeldOutRow,
    Judgement,
    Lengths,
    Mend,
    PaneAnswer,
    Problem,
    Run,
    RunState,
    Score,
)
from lora_hub.data.mending.mends import Done
from lora_hub.data.tables.table import Table
from lora_hub.evaluation import metrics
from lora_hub.ui.frame import early, page
from lora_hub.ui.render import drawing, render, render_data, render_plan, render_problems, render_table, text
from lora_hub.ui.render.compare import render_panes
from lora_hub.ui.render.runs import plot, render_held_out, render_runs
from lora_hub.ui.render.shelf import render_adapters, render_card, render_shelf
from lora_hub.ui.tabs.compare.compare_question import keep_right, right_answer
from lora_hub.ui.tabs.finetune.data_room import WHAT_IS_READ

EVIL = "<img src=x onerror=alert(1)>\"'&\u202e"


# --- words ---


def test_a_hint_below_a_label_is_words_alone() -> None:
    assert render.as_hint("'text' is its name, with 2 values (ham, spam) & more") == (
        "'text' is its name, with 2 values (ham, spam) & more"
    )
    assert render.as_hint("snake_case stays") == "snake_case stays"
    # What Gradio makes of a hint, after it has escaped HTML.
    marks = (r"`([^`]+)`", r"\[([^\]]+)\]\(([^)]+)\)", r"\*(.+?)\*", r"__(.+?)__", r"(?<!\w)_(.+?)_(?!\w)")
    for evil in ("`code`", "[a](https://evil.example)", "**bold**", "*em*", "__init__", "_em_ and _more_", "___"):
        assert not any(re.search(mark, render.as_hint(evil)) for mark in marks), evil


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["1,234,568", "93.3 %", "1.7 B", "1.5 GB", "1 min 35 s", "3 min ago"]),
        ("fa", ["۱٬۲۳۴٬۵۶۸", "۹۳٫۳٪", "۱٫۷ میلیارد", "۱٫۵ گیگابایت", "۱ دقیقه و ۳۵ ثانیه", "۳ دقیقه پیش"]),
    ],
)
def test_figures_read_as_the_language_writes_them(language, expected):
    shown = [
        text.number(1234567.8, language),
        text.percent(93.25 + 0.01, language),
        text.count_of(1.7e9, language),
        text.size_of(1.5e9, language),
        text.duration(95, language),
        text.age(1000, language, now=1000 + 200),
    ]
    assert shown == expected
    # What rounds to a thousand is told in the next unit.
    assert text.count_of(999_886_000, "en") == "1.0 B" and text.size_of(999_700_000, "en") == "1.0 GB"


def test_a_page_that_is_none_is_the_first() -> None:
    """Python reads no number of more than 4,300 digits: that was told as a bug."""
    for said, page_of in (("7", 7), ("\u06f7", 7), ("0", 1), ("-2", 1), ("", 1), ("1e3", 1), ("9" * 5000, 1)):
        assert text.page_number(said) == page_of


def test_labels_go_to_the_browser_in_every_language():
    labels = page.Labels()
    names = [labels(said).key for said in (catalogue.get_task("spam").title, _("Train"), spec_fields.FIELDS[0].help)]
    table = labels.i18n.translations_dict
    assert [table["en"][name] for name in names][:2] == ["Spam detection", "Train"] and table["fa"][
        names[0]
    ] == "تشخیص هرزنامه"
    assert table["en"].keys() == table["fa"].keys() == set(names) and not any("." in name for name in names)


def test_what_is_said_in_every_language_keeps_its_names_to_themselves():
    shown = page.Labels().both(WHAT_IS_READ)
    persian = shown.partition('lang="fa">')[2]
    assert shown.count("<span") == 2 and "(<bdi>" not in shown.partition("</span>")[0]
    assert "<bdi>CSV</bdi>" in persian and "xlsx</bdi>" in persian


# --- escaping ---


def test_nothing_that_people_write_becomes_html(tmp_path):
    spec = spec_for(tmp_path, name="a name")
    spec = spec.model_copy(update={"name": EVIL, "dataset": spec.dataset.model_copy(update={"name": EVIL})})
    run = Run(
        id="run-1",
        spec=spec,
        state=RunState.FAILED,
        error=Failure(said=as_message(EVIL), advice=as_message(EVIL)),
        notes=(as_message(EVIL),),
        phase=EVIL,
    )
    ref = AdapterRef(
        repo_id=f"o/{EVIL}",
        base=EVIL,
        task=EVIL,
        url="javascript:alert(1)",
        versions=(EVIL,),
        updated=EVIL,
        revision=EVIL,
        title=EVIL,
        owner=EVIL,
        languages=(EVIL,),
    )
    info = DatasetInfo(fingerprint="0" * 16, name=EVIL, rows=1, columns=(EVIL,), format=EVIL, encoding=EVIL)
    held_out = [held_out_row(1, {"text": EVIL}, EVIL, {"adapter": {EVIL: 1.0}}, base=EVIL, adapter=EVIL)]
    held_out = metrics.judge_rows(spec.task, held_out)
    pieces = [
        render_problems.problem_card(evil_problem(), [(1, {EVIL: EVIL})], "en"),
        render_problems.problem_card(evil_problem(), None, "fa"),
        render_problems.done_list([Done(Mend(kind="relabel", values={EVIL: EVIL}), 1)], "en"),
        render_problems.labels_table(render_problems.Labels({EVIL: 3}, {EVIL: EVIL}), EVIL, "en"),
        render.error_card(DataError(EVIL, EVIL), "en"),
        render_table.file_summary(info, 2, "en"),
        render_table.gone_columns({EVIL: EVIL}, "en"),
        render_table.preview(Table(polars.DataFrame({EVIL: [EVIL]}), "csv"), {"text": EVIL}, "en"),
        render_table.rows_table([(1, {EVIL: EVIL})], 2, "fa"),
        render_data.prompts([{"prompt": EVIL, "completion": EVIL}], "en"),
        render_plan.settings_table([("lr", EVIL, as_message(EVIL))], {}, "en"),
        render_data.published(AdapterRef(repo_id=EVIL, url="javascript:alert(1)"), "en"),
        render_data.published(AdapterRef(repo_id=EVIL, url="javascript:alert(1)", pull_request="x"), "en"),
        render_runs.runs_list([run], "", "en"),
        render_runs.run_head(run, "en"),
        render_runs.run_head(run.model_copy(update={"state": RunState.RUNNING}), "en"),
        render_runs.log_text(EVIL, "en"),
        render_held_out.held_out_rows(held_out, "all", "en"),
        render_shelf.shelf(shelf_of(ref, "cards"), "en"),
        render_shelf.shelf(shelf_of(ref, "table"), "fa"),
        render_adapters.unpublishing(EVIL, [as_message(EVIL)], "en"),
        render_adapters.adapter_head(ref, "en"),
        render_adapters.versions_table([(EVIL, EVIL, EVIL, EVIL)], "en"),
        render_panes.panes([pane(EVIL, EVIL, Answer(text=EVIL, probabilities={EVIL: 1.0}, finish="stop"))], "en", EVIL),
    ]
    for piece in pieces:
        assert "<img" not in piece and "javascript:" not in re.sub(r">[^<]*<", "><", piece), piece
        assert "\u202e" not in piece
    assert all("&lt;img" in piece for piece in pieces)


def shelf_of(ref: AdapterRef, form: str) -> render_shelf.View:
    return render_shelf.View([ref], 1, EVIL, form=form, titles={EVIL: EVIL}, collection=EVIL, picked={ref.repo_id})


def pane(name: str, revision: str, answer: Answer, divergence=None, judgement=None) -> PaneAnswer:
    return PaneAnswer(pane=0, name=name, revision=revision, answer=answer, divergence=divergence, judgement=judgement)


def evil_problem() -> Problem:
    mends = (Mend(kind="relabel", values={EVIL: EVIL}), Mend(kind="shorten", values={"characters": EVIL}))
    return Problem(
        code=EVIL, severity="error", said=as_message(EVIL), advice=as_message(EVIL), rows=(1,), count=1, mends=mends
    )


def test_a_card_fetches_nothing_and_runs_nothing():
    card = (
        "# Title\n![spy](http://elsewhere/x.png) <script>alert(1)</script>\n"
        "<!-- hidden --> [a](b.md) [c](javascript:x) [d](https://d.example/e?f=1)\n```python\na < b\n```\n"
    )
    shown = render_card.card_html(card, "http://hub/o/n", "en")
    assert "<h1>Title</h1>" in shown and "hidden" not in shown
    assert "<img" not in shown and "<script" not in shown and "elsewhere" not in shown and "spy" in shown
    assert re.findall('href="([^"]*)"', shown) == ["http://hub/o/n/blob/main/b.md", "https://d.example/e?f=1"]
    assert '<pre tabindex="0"><code>a &lt; b' in shown and ">Copy</button>" in shown


@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_parts_of_a_panes_title_keep_what_stands_between_others(language):
    names = ["a | b · c", "Built-in", "x | y · z.csv"]
    title = text.between(language).join(f"\u2068{name}\u2069" for name in names)
    shown = render_panes.panes([pane("run-1", "", Answer(text="y"))], language, titles={"run-1": title})
    assert all(f"<bdi>{name}</bdi>" in shown for name in names)


def test_persian_words_in_a_cards_code_keep_their_places():
    shown = render_card.card_html("```python\nlabels = ['مثبت', 'خیلی منفی']\n```\n", "http://hub/o/n", "fa")
    assert "[&#x27;<bdi>مثبت</bdi>&#x27;, &#x27;<bdi>خیلی منفی</bdi>&#x27;]" in shown


def test_a_persian_moment_reads_from_right_to_left_though_it_has_no_letter():
    shown = text.moment(1772712000, "fa")
    assert shown.startswith("\u200f۲۰۲۶/") and "\u200f" in render.escape(shown)
    assert text.iso_moment("2026-03-05T21:17", "fa") == "\u200f۲۰۲۶/۰۳/۰۵ ۲۱:۱۷"
    assert not text.moment(1772712000, "en").startswith("\u200f")


COVER = '<form style="position:fixed;inset:0"><input name=token></form><img src=//evil.example/x onerror=alert(1)>'


@pytest.mark.parametrize(
    "card",
    [
        "```\n" + COVER,  # a fence that is not closed
        "~~~\n```\n~~~\n" + COVER,
        "    ```\n" + COVER,
        "`````\n```\n`````\n" + COVER,
        "> ```\n" + COVER,
        "- ```\n" + COVER,
        "<!-- ```\n-->" + COVER,
        "\u2028```\n" + COVER + "\r```\r" + COVER,
        "[a](" + COVER + ")",
        f"![{COVER}]({COVER})",
        f'[a](http://x "{COVER}")',
        f"[a]: javascript:alert(1)\n[a] ![a] <javascript:alert(1)> {COVER}",
        "|a|\n|-|\n|" + COVER + "|",
        "# " + COVER,
        "&lt;form&gt; &#60;form&#62;",
    ],
)
def test_a_card_holds_no_element_that_its_writer_chose(card: str):
    shown = render_card.card_html(card, "http://hub/o/n", "en")
    tags = set(re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", shown))
    assert tags <= set("div p h1 pre code button ul li blockquote a table thead tbody tr th td em strong br".split())
    assert "javascript:" not in "".join(re.findall('href="([^"]*)"', shown)).lower()
    assert "style=" not in re.sub("<code>.*?</code>|>[^<]*<", "", shown, flags=re.S)


@pytest.mark.parametrize(
    "piece", ["<!--", "[", "![a](", "> ", "* ", "```\n", "**a", "|a", "<a ", "&#", "- ", "_*", "\\"]
)
def test_a_card_of_a_million_marks_is_cut(piece: str):
    assert len(render_card.card_html(piece * 300_000, "http://hub/o/n", "en")) < 40 * render_card.LONGEST


def test_cells_of_unknown_direction_say_so():
    assert 'dir="auto"' in render.cell("سلام دنیا")


# --- runs ---


def scored_run(folder: Path, base: Score, adapter: Score, **more) -> Run:
    return Run(
        id="spam-1",
        spec=spec_for(folder),
        state=RunState.SUCCEEDED,
        started=1.0,
        ended=62.0,
        eval_rows=50,
        train_rows=200,
        **{"metrics": {"base": {"accuracy": base}, "adapter": {"accuracy": adapter}}, **more},
    )


@pytest.mark.parametrize(
    ("right_before", "right_now", "words_in_it", "persian"),
    [
        (
            27,
            49,
            (
                "Accuracy rose from 54.0 % to 98.0 %. 22 of 50 rows changed, all for the better; that is beyond what "
                "chance explains."
            ),
            "معنادار",
        ),
        (27, 29, "2 of 50 rows changed, all for the better; with 50 rows that can be chance.", "تصادفی"),
        (
            27,
            5,
            "22 of 50 rows changed, all for the worse; that is beyond what chance explains. This adapter makes "
            "the answers worse.",
            "بدتر می‌کند",
        ),
        (27, 27, "Accuracy stayed at 54.0 %. None of the 50 rows changed.", "هیچ‌یک"),
    ],
)
def test_a_result_says_what_the_paired_test_allows(tmp_path, right_before, right_now, words_in_it, persian):
    answers = {
        "base": ["a"] * right_before + ["b"] * (50 - right_before),
        "adapter": ["a"] * right_now + ["b"] * (50 - right_now),
    }
    scores = {who: metrics.score_metrics(["accuracy"], texts, ["a"] * 50) for who, texts in answers.items()}
    found = metrics.compare_answers("accuracy", answers["adapter"], answers["base"], ["a"] * 50)
    run = scored_run(tmp_path, scores["base"]["accuracy"], scores["adapter"]["accuracy"], comparison=found)
    shown = render_runs.result(run, "en")
    assert words_in_it in shown and "40.4 – 67.0" in shown
    assert persian in render_runs.result(run, "fa")


def test_intervals_apart_are_no_verdict(tmp_path):
    """A run from before there were paired tests has its numbers, and nothing is concluded from them."""
    shown = render_runs.result(
        scored_run(tmp_path, Score(value=54.0, low=42.0, high=66.0), Score(value=97.0, low=92.0, high=100.0)), "en"
    )
    assert (
        "Accuracy rose from 54.0 % to 97.0 %." in shown
        and "chance" not in shown
        and "lh-good" not in shown.split("<table")[0]
    )


def test_the_verdict_is_against_the_better_base(tmp_path):
    scores = {"base": 50.0, "base_examples": 80.0, "adapter": 85.0}
    of = {
        who: {"accuracy": Score(value=value, low=value - 5, high=value + 5, rows=50)} for who, value in scores.items()
    }
    answers = {who: ["a"] * round(value / 2) + ["b"] * (50 - round(value / 2)) for who, value in scores.items()}
    found = metrics.compare_answers(
        "accuracy", answers["adapter"], answers["base_examples"], ["a"] * 50, against="base_examples"
    )
    shown = render_runs.result(
        scored_run(tmp_path, of["base"]["accuracy"], of["adapter"]["accuracy"], metrics=of, comparison=found), "en"
    )
    assert (
        "rose from 80.0 % to 85.0 %" in shown
        and "examples in its prompt" in shown
        and "Base with examples" in shown
        and "+5.0" in shown
    )


def test_a_running_run_shows_step_share_and_time_left(tmp_path):
    run = Run(
        id="spam-1",
        spec=spec_for(tmp_path),
        state=RunState.RUNNING,
        started=1.0,
        step=30,
        total_steps=120,
        eta=75.0,
        phase="training",
    )
    shown = render_runs.run_head(run, "en")
    assert 'aria-valuenow="25"' in shown and "step 30 of 120" in shown and "1 min 15 s left" in shown
    assert 'role="progressbar"' in shown and 'aria-valuetext="training · step 30 of 120 · 1 min 15 s left"' in shown
    # What is not known is not told as nothing done.
    assert "aria-valuenow" not in render_runs.run_head(run.model_copy(update={"step": 0, "total_steps": 0}), "en")
    assert (
        "گام ۳۰ از ۱۲۰" in render_runs.run_head(run, "fa") and "25.0 % trained" not in shown and "25 % trained" in shown
    )
    # Behind the last step the bar is that of the scoring: half of the second of its four phases is 37.5 %; a
    # base that is not asked the general questions has three.
    trained = run.model_copy(update={"step": 120, "eta": None})
    for phase, share in (("scoring the base", 0), ("scoring the base with examples (20 of 40)", 38)):
        scored = render_runs.run_head(trained.model_copy(update={"phase": phase}), "en")
        assert f'aria-valuenow="{share}"' in scored and f"{share} % scored" in scored, scored
        assert "100 %" not in scored and "step 120" not in scored
    assert "۳۸٪ ارزیابی انجام شد" in render_runs.run_head(
        trained.model_copy(update={"phase": "scoring the base with examples (20 of 40)"}), "fa"
    )
    short = trained.model_copy(
        update={
            "phase": "scoring the base with examples (20 of 40)",
            "spec": run.spec.model_copy(update={"general": "off"}),
        }
    )
    assert "50 % scored" in render_runs.run_head(short, "en")
    waiting = render_runs.run_head(trained.model_copy(update={"phase": "waiting to be scored"}), "en")
    assert "lh-unsure" in waiting and "aria-valuenow" not in waiting and "100 %" not in waiting
    assert "scoring the base (3 of 40)" == render_runs.phase_words("scoring the base (3 of 40)", "en")
    assert "ارزیابی مدل پایه (۳ از ۴۰)" == render_runs.phase_words("scoring the base (3 of 40)", "fa")


def test_older_runs_are_folded_and_the_chosen_one_is_in_sight(tmp_path):
    spec = spec_for(tmp_path)
    many = [Run(id=f"spam-{place}", spec=spec, state=RunState.SUCCEEDED, created=100.0 - place) for place in range(12)]
    shown = render_runs.runs_list(many, "spam-0", "en")
    assert shown.index("4 older runs") > shown.index('data-id="spam-7"') and "<details" in shown
    assert shown.index("4 older runs") < shown.index('data-id="spam-8"') and " open" not in shown
    assert 'lh-older" open' in render_runs.runs_list(many, "spam-11", "fa")
    assert "<details" not in render_runs.runs_list(many[:8], "", "en")


LABEL_ROWS = [
    held_out_row(1, {"text": "a"}, "ham", {"adapter": {"ham": 0.9, "spam": 0.1}}, base="ham", adapter="Ham "),
    held_out_row(2, {"text": "b"}, "spam", base="ham", adapter="spam"),
    held_out_row(3, {"text": "c"}, ("spam", "junk"), base="junk", adapter="ham"),
]


def test_what_is_being_trained_already_is_told_before_it_is_started_again(tmp_path):
    spec = spec_for(tmp_path)
    other = spec.model_copy(update={"seed": spec.seed + 1})
    named = spec.model_copy(update={"name": "mine"})
    for state in (RunState.QUEUED, RunState.RUNNING):
        found = [Run(id="other-1", spec=other, state=state), Run(id="spam-1", spec=spec, state=state)]
        told = render_plan.under_way(render_plan.find_same(named, found), "en")
        assert 'href="?tab=runs&amp;run=spam-1"' in told and "under way" in told
    for quiet in (
        [],
        [Run(id="other-1", spec=other, state=RunState.RUNNING)],
        [Run(id="spam-1", spec=spec, state=RunState.SUCCEEDED)],
        [Run(id="spam-1", spec=spec, state=RunState.CANCELLED)],
    ):
        assert render_plan.under_way(render_plan.find_same(spec, quiet), "fa") == ""


def test_a_newer_versions_run_is_not_called_damaged(tmp_path):
    run = Run(id="spam-1", spec=spec_for(tmp_path), state=RunState.DAMAGED)
    assert "damaged" in render_runs.state_badge(run, "en")
    newer = render_runs.state_badge(run.model_copy(update={"is_newer": True}), "en")
    assert "newer version" in newer and "damaged" not in newer


def test_a_stacked_table_carries_the_heads_with_its_cells():
    shown = render.table(["Name", EVIL], [["<b>a</b>", "1"]], "lh-shelf", stacked=True)
    assert '<td role="cell" data-head="Name"><b>a</b></td>' in shown and EVIL not in shown
    assert "data-head" not in render.table(["Name"], [["a"]])


def picked(rows: list[HeldOutRow], show: str, order: str = "file", against: str = "base") -> list[int]:
    return [row.row for row in render_held_out.pick_rows(rows, show, order, against)]


def test_held_out_rows_of_a_task_with_labels_are_right_or_wrong():
    rows = metrics.judge_rows(catalogue.get_task("spam"), LABEL_ROWS)
    assert {show: picked(rows, show) for show in render_held_out.FILTERS} == {
        "all": [1, 2, 3],
        "wrong": [3],
        "better": [2],
        "worse": [3],
    }
    assert picked(rows, "all", "difference") == [3, 1, 2] and picked(rows, "all", "score") == [3, 2, 1]
    shown = render_held_out.held_out_rows(rows, "all", "en")
    assert shown.count("lh-right") == 4 and shown.count("lh-wrong") == 2 and "ham</bdi>" in shown and "90" in shown
    assert "There is no such row" in render_held_out.held_out_rows(rows[:1], "wrong", "en")


def test_held_out_rows_of_a_translation_have_their_own_score_and_no_cross():
    """chrF grades an answer: nearly right is neither right nor wrong."""
    given = [
        held_out_row(1, {"text": "a"}, "the cat sat on the mat", base="the dog ran", adapter="the cat sat on a mat"),
        held_out_row(2, {"text": "b"}, "a long day", base="a long day", adapter="the day was long"),
        held_out_row(3, {"text": "c"}, "good night", base="", adapter="good night"),
    ]
    rows = metrics.judge_rows(catalogue.get_task("translation"), given)
    judged = [row.judgements for row in rows]
    assert {(one.metric, one.right) for one in judged[0].values()} == {("chrf", None)}
    assert 50 < judged[0]["adapter"].score < 100 == judged[2]["adapter"].score and judged[2]["base"].score == 0
    assert (
        picked(rows, "worse") == [2] and picked(rows, "better") == [1, 3] and picked(rows, "all", "difference")[0] == 2
    )
    assert picked(rows, "all", "score") == [2, 1, 3] and picked(rows, "wrong") == [1, 2]
    shown = render_held_out.held_out_rows(rows, "all", "en")
    assert "lh-wrong" not in shown and "lh-right" not in shown and "chrF 100.0" in shown and "lh-gain lh-bad" in shown


def test_rows_are_better_or_worse_than_the_base_that_the_verdict_is_against():
    rows = []
    for row in LABEL_ROWS:
        right = row.reference if isinstance(row.reference, str) else row.reference[0]
        said = {who: answer.text for who, answer in row.answers.items()} | {"base_examples": right}
        rows.append(held_out_row(row.row, row.inputs, row.reference, **said))
    rows = metrics.judge_rows(catalogue.get_task("spam"), rows)
    assert picked(rows, "better") == [2] and picked(rows, "better", against="base_examples") == []
    assert "Base with examples" in render_held_out.held_out_rows(rows, "all", "en")


def test_the_plot_keeps_its_shape_with_few_points():
    many = [(step, 5.0 - step / 1000) for step in range(1, 4001)]
    assert len(plot.thin(many)) == plot.MOST_POINTS and plot.thin(many)[-1] == many[-1]
    shown = plot.loss_plot(many, [(0, 5.0), (2000, 3.0), (4000, 1.1)], best_step=4000, total=4000)
    assert (
        shown.count("lh-dot-held") == 3
        and shown.count("lh-best") == 1
        and "best, kept" in shown
        and len(shown) < 20_000
    )
    assert drawing.ticks(0, 6.7) == [0, 2, 4, 6]
    # One number is no scale.
    assert len(plot.Plane([0.0034, 0.0172], 96, "en", count=3, is_small=True).ticks) > 1
    assert "The curve begins" in plot.loss_plot([], []) and "lh-dot-train" in plot.loss_plot([(1, 2.0)], [])
    assert "nan" not in plot.loss_plot([(1, float("nan")), (2, 1.0)], [])


def test_an_adapter_that_changes_nothing_raises_the_alarm():
    wrong = Judgement(metric="accuracy", score=0.0, right=False)
    same = pane(
        "o/a",
        "c" * 40,
        Answer(text="ham", tokens=3, seconds=0.5, finish="stop"),
        Divergence(kl=0.0, changed=0.0),
        wrong,
    )
    other = pane(
        "o/b",
        "d" * 40,
        Answer(text="spam", tokens=3, seconds=0.5, finish="stop"),
        Divergence(kl=1.2, changed=0.5),
    )
    shown = render_panes.panes([same, other], "en", "You won")
    assert shown.count("Changes nothing") == 1 and "50.0 % of the tokens differ" in shown
    assert "cccccccccccc" in shown and shown.count("not the right answer") == 1 and ">right<" not in shown
    assert "Asked:" in shown and "You won" in shown and "these are answers to the one before" in shown


def test_panes_show_labels_with_probabilities_and_a_text_its_own_score():
    label = Answer(
        text="ham",
        probabilities={f"label {place}": 0.0 for place in range(80)} | {"ham": 0.934, "spam": 0.066},
        finish="stop",
    )
    shown = render_panes.panes([pane("o/a", "", label)], "en", "hi")
    assert "93.4 %" in shown and "6.6 %" in shown and "and 77 more labels" in shown
    graded = pane("o/b", "", Answer(text="the cat", finish="stop"), None, Judgement(metric="chrf", score=54.2))
    shown = render_panes.panes([graded], "en", "hi")
    assert "chrF 54.2" in shown and "right" not in shown and "<li>" not in shown


def test_the_right_answer_is_beside_adapters_of_its_own_task_alone():
    task = catalogue.get_task("spam")
    own = pane("o/a", "", Answer(text="ham", finish="stop")).model_copy(update={"task": task})
    other = own.model_copy(update={"pane": 1, "name": "o/b", "task": task.model_copy(update={"id": "topic"})})
    for order in ([own, other], [other, own]):
        shown = render_panes.panes(order, "en", "hi", reference="spam")
        assert shown.count("Beside the right answer") == 1, "the other was asked something else"
    empty = render_panes.panes([pane("o/a", "", Answer(text=""))], "fa")
    assert 'class="lh-answer">' in empty, "an empty text has no direction of its own: the caret stands on the right"


@pytest.mark.parametrize(
    ("base", "adapter", "english", "persian"),
    [
        (
            {"ham": 0.8, "spam": 0.2},
            {"ham": 0.92, "spam": 0.08},
            "The base&#x27;s label too; its probability is 12.0 points higher",
            "همان برچسب مدل پایه است؛ احتمال آن ۱۲٫۰ واحد درصد بیشتر",
        ),
        (
            {"ham": 0.8, "spam": 0.2},
            {"ham": 0.6, "spam": 0.4},
            "The base&#x27;s label too; its probability is 20.0 points lower",
            "۲۰٫۰ واحد درصد کمتر",
        ),
        (
            {"ham": 0.8, "spam": 0.2},
            {"ham": 0.1, "spam": 0.9},
            "Another label than the base&#x27;s, <bdi>ham</bdi>; its probability is 70.0 points higher",
            "نه <bdi>ham</bdi>",
        ),
        (
            {"ham": 0.8, "spam": 0.2},
            {"ham": 0.80001, "spam": 0.19999},
            "too; its probability is what the base gives it",
            "همان است که مدل پایه می‌دهد",
        ),
    ],
)
def test_labels_are_held_against_the_bases_label_and_not_its_tokens(base, adapter, english, persian):
    views = [
        pane(
            name,
            "",
            Answer(text=max(chances, key=chances.get), probabilities=chances, tokens=2, finish="stop"),
            divergence,
        )
        for name, chances, divergence in (("base", base, None), ("o/a", adapter, Divergence(kl=0.4, changed=0.5)))
    ]
    shown = render_panes.panes(views, "en")
    assert english in shown.replace("'", "&#x27;") and "tokens differ" not in shown
    assert persian in render_panes.panes(views, "fa")
    assert "tokens differ" not in render_panes.panes(views[1:], "en"), (
        "a label is no text, also where the base was not asked"
    )
    same = pane("o/b", "", views[1].answer, Divergence(kl=0.0, changed=0.0))
    assert "finds each label as likely" in render_panes.panes([views[0], same], "en")


# --- the data room ---


def test_what_is_only_good_to_know_is_folded_and_the_worst_comes_first():
    problems = [
        Problem(code=code, severity=severity, message=code)
        for code, severity in (("c", "info"), ("b", "warning"), ("a", "error"))
    ]
    shown = render_problems.cards(problems, "", [], "en")
    assert (
        shown.index('data-code="a"')
        < shown.index('data-code="b"')
        < shown.index("Good to know (1)")
        < shown.index('data-code="c"')
    )
    assert " open>" not in shown and "<details" in render_problems.cards(problems[:1], "", [], "en")
    assert "Nothing wrong found" in render_problems.cards([], "", [], "en") and "ایرادی" in render_problems.cards(
        problems[:1], "", [], "fa"
    )


def test_cells_read_in_their_own_direction_and_nested_ones_as_json():
    frame = polars.DataFrame(
        {
            "متن": ["سلام دنیا", "hello", "خوب"],
            "n": ["1", "2", "3"],
            "chat": [[{"role": "user", "content": "سلام"}]] * 3,
        }
    )
    shown = render_table.preview(Table(frame, "jsonl"), {"text": "متن"}, "en")
    heads = re.findall(r'<th scope="col"([^>]*)>', shown)
    assert heads == [' class="lh-taken" dir="rtl"', ' dir="ltr"', ' dir="ltr"']
    assert (
        "[{&quot;role&quot;: &quot;user&quot;, &quot;content&quot;: &quot;سلام&quot;}]" in shown
        and shown.count('dir="auto"') == 9
    )


def test_a_table_of_many_columns_shows_the_mapped_ones_and_tells_the_rest():
    wide = polars.DataFrame({f"c{place}": ["x"] for place in range(200)})
    shown = render_table.preview(Table(wide, "csv"), {"text": "c199"}, "en")
    assert shown.count("<th ") == render_table.SHOWN_COLUMNS and "c199" in shown and "and 160 more columns" in shown


def test_lengths_and_costs_are_told():
    measured = Lengths(
        base="b",
        rows=5000,
        sampled=2000,
        prompt=(1,) * 8,
        answer=(1,) * 8,
        total=(3, 5, 9, 20, 33, 80, 300, 700),
        max_length=256,
        context=512,
        too_long=12,
        answers_cut=3,
        over_context=1,
        trained_share=0.125,
    )
    shown = render_plan.lengths(measured, "en")
    assert (
        "12.5 %" in shown
        and "12 rows are longer than 256 tokens" in shown
        and "2,000 of 5,000" in shown
        and "700" in shown
    )
    assert "۱۲٫۵٪" in render_plan.lengths(measured, "fa") and render_plan.lengths(None, "en") == ""
    one = render_plan.lengths(measured.model_copy(update={"too_long": 1, "answers_cut": 1}), "en")
    assert "1 row is longer than 256 tokens and is left out. Cut there, 1 of them would lose its answer." in one
    costs = [
        SimpleNamespace(
            flavor="t4-small", title="Nvidia T4 (small)", seconds=700.0, dollars=0.08, fits=True, memory_bytes=1
        ),
        SimpleNamespace(flavor="x", title="X", seconds=1.0, dollars=9.0, fits=False, memory_bytes=1),
    ]
    shown = render_plan.costs(costs, "2026-11-22", 20 << 30, 8 << 30, "en")
    assert (
        "$0.08" in shown
        and "11 min 40 s" in shown
        and "too small" in shown
        and "$9.00" not in shown
        and "2026-11-22" in shown
    )
    assert text.dollars(0.004, "en") == "under $0.01" and text.dollars(12.5, "fa") == "۱۲٫۵۰ دلار"


def test_each_catalogue_task_has_a_card_in_both_languages():
    for task in catalogue.list_tasks():
        for language in languages.languages():
            assert task.instruction.in_language(language) in render_data.task_card(task, language).replace(
                "&#x27;", "'"
            )


# --- the head of the page ---


async def answer_with(content_type: bytes, body: bytes):
    """What a client gets of one answer behind the middleware: (headers, body)."""

    async def app(scope, receive, send):
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    sent = []

    async def send(message):
        sent.append(message)

    after: list[int] = []
    middle = early.EarlyHead(app, "<script>1</script>", lambda: after.append(len(sent)))
    await middle({"type": "http", "method": "GET"}, None, send)
    assert after == ([2] if content_type.startswith(b"text/html") else []), (
        "what comes after the first page came at another time"
    )
    return dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


def test_the_language_is_decided_before_anything_else_is_read():
    headers, body = asyncio.run(answer_with(b"text/html; charset=utf-8", b"<html><head><title>x</title></head></html>"))
    assert body == b"<html><head><script>1</script><title>x</title></head></html>" and int(
        headers[b"content-length"]
    ) == len(body)
    headers, body = asyncio.run(answer_with(b"application/json", b'{"html": "<head>"}'))
    assert body == b'{"html": "<head>"}' and int(headers[b"content-length"]) == len(body)
    assert "</script" not in (early.FOLDER / "page.js").read_text(encoding="utf-8")


def test_what_says_a_state_only_has_colours():
    """`lh-live` beside `lh-badge` says that a run goes on: a rule for every `lh-live` would stretch the badge, too."""
    for style in early.STYLES:
        for selector in re.findall(
            r"^([^{}@/]+?) *\{", (early.FOLDER / style).read_text(encoding="utf-8"), re.MULTILINE
        ):
            for one in selector.split(","):
                assert not re.fullmatch(r"\s*(?::root|html) \.lh-(good|warn|bad|live)\b.*", one), (style, selector)


def test_a_right_answer_belongs_to_its_question_and_its_adapter():
    kept = keep_right("spam", "lora-hub/spam", {"text": "Win a prize"})
    for roles in ("text", ""):
        assert right_answer(kept, ["lora-hub/spam", "lora-hub/other"], roles, ["Win a prize"]) == "spam"
    assert (
        right_answer(kept, ["lora-hub/spam"], "text", ["Win a prize!"])
        == right_answer(kept, ["lora-hub/other", "lora-hub/spam"], "text", ["Win a prize"])
        == right_answer(kept, ["lora-hub/spam"], "question", ["Win a prize"])
        == ""
    )
    for broken in (
        "",
        "spam",
        "[1]",
        "{}",
        '{"adapter": "lora-hub/spam"}',
        '{"adapter": "lora-hub/spam", "inputs": 1}',
    ):
        for roles in ("text", ""):
            assert right_answer(broken, ["lora-hub/spam"], roles, ["Win a prize"]) == ""
    assert right_answer(kept, [], "text", ["Win a prize"]) == ""
    lines = keep_right("spam", "a", {"text": "two\r\nlines "})
    assert right_answer(lines, ["a"], "text", ["two\nlines"]) == "spam"
    # Several inputs are one question, by their roles or in one prompt; a conversation is asked its last turn.
    several = keep_right("she", "a", {"question": "Who?", "context": "She."})
    assert right_answer(several, ["a"], "question\ncontext", ["Who?", "She."]) == "she"
    assert right_answer(several, ["a"], "", ["Who?\nShe."]) == "she"
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    chat = keep_right("ok", "a", {"messages": [*turns, {"role": "user", "content": "Go on"}]})
    assert right_answer(chat, ["a"], "", ["Go on"]) == "ok"


def test_persian_names_in_an_english_sentence_keep_to_themselves():
    said = render.sentence("the column 'برچسب' holds 2 labels (مثبت, منفی)")
    assert said == "the column &#x27;<bdi>برچسب</bdi>&#x27; holds 2 labels (<bdi>مثبت</bdi>, <bdi>منفی</bdi>)"
    assert (
        text.direction("the column 'برچسب' holds 2 labels") == "ltr"
        and text.direction("ستون «the label» دو برچسب دارد") == "rtl"
    )
    assert render.sentence("ستون text دو برچسب دارد") == "ستون <bdi>text</bdi> دو برچسب دارد"


def test_a_label_is_held_against_a_base_that_was_asked_the_same(tmp_path):
    spam, topic = catalogue.get_task("spam"), catalogue.get_task("topic")

    def answered(name: str, task, **probabilities: float) -> PaneAnswer:
        best = max(probabilities, key=probabilities.get)
        answer = Answer(text=best, finish="stop", probabilities=probabilities)
        return pane(name, "", answer).model_copy(update={"task": task})

    base, own = answered("base", spam, ham=0.6, spam=0.4), answered("o/spam", spam, ham=0.2, spam=0.8)
    other = answered("o/topic", topic, sports=0.9, world=0.1)
    alike = render_panes.panes([base, own], "en")
    assert "Another label than the base" in alike and "Asked as" not in alike
    shown = render_panes.panes([base, own, other], "en")
    assert shown.count("Asked as: Spam detection") == 2 and shown.count("Asked as: Topic") == 1
    assert shown.count("Another label than the base") == 1 and "The base was asked another task here" in shown
    # Labels of the same names make no same question.
    alike = topic.model_copy(update={"labels": spam.labels})
    named = render_panes.panes([base, answered("o/topic", alike, ham=0.9, spam=0.1)], "en")
    assert "The base was asked another task here" in named and "The base&#x27;s label too" not in named
