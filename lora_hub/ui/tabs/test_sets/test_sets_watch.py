"""The handlers of the Test sets tab: what there is to choose from, a test as it is now, and actions on it.

Nothing of a test is kept here: it is read at every look.
"""

import json
import re
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.compare import test_sets
from lora_hub.compare.test_sets import figures
from lora_hub.core.errors import AccessError, DataError, LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.schema import RunState, Score
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.asking import asked_by, has_sent
from lora_hub.ui.frame.page import Page, asks_again, inform, not_pressed
from lora_hub.ui.render import render
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.render.test_sets import render_tests, test_plots
from lora_hub.ui.render.text import digits, page_number, t
from lora_hub.ui.tabs.compare import compare_question
from lora_hub.ui.tabs.test_sets import test_sets_judge

# What a choice of rows begins with: a stored file, or a run whose held-out rows are asked; else a dataset of the Hub.
FILE, RUN = "file ", "run "
# Characters of the name of a picture that is saved, which may have a column's name in it.
MOST_FILE_NAME = 120


class Testing:
    """The handlers for one page. Nothing of a test is kept here."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def fill(self, language: str, rows: str | None, adapters: list[str], *, person: Person) -> list[Any]:
        """What there is to choose from, and the list of tests."""
        offered = []
        if rules.may(person, Action.TRAIN):
            offered += [(one.name, FILE + one.id) for one in use_cases.list_datasets(person)]
        for name in name_runs(use_cases.list_runs(person, self.page.runs)).values():
            if name.run.metrics:
                said = t(_("held-out rows of {run}"), language, run=name.line(language))
                offered.append((said, RUN + name.run.id))
        if rows and rows not in {value for _name, value in offered}:
            offered.append((rows, rows))
        # Without the router: a test compares adapters, each on all rows.
        answering = compare_question.adapters(person, self.page, language, adapters or [])
        return [
            gr.Dropdown(choices=offered, value=rows or None),
            gr.Dropdown(choices=answering, value=adapters or []),
        ]

    def upload(self, language: str, path: str | None, *, person: Person) -> Any:
        if not path:
            return gr.skip(), gr.skip()
        if not has_sent(person, path):
            raise DataError(_("This is no file of yours."), _("Upload it again."))
        kept = use_cases.add_dataset(person, Path(path))
        name = f"{FILE}{kept.parent.name}/{kept.name}"
        return gr.Dropdown(choices=[(kept.name, name)], value=name), None

    def offer_judge(self, language: str, adapters: list[str], judge: str | None, *, person: Person) -> Any:
        return test_sets_judge.offer(self.page, language, adapters or [], judge, person)

    def tell_judge(self, language: str, judge: str | None, model: str, *, person: Person) -> Any:
        return test_sets_judge.tell(self.page, language, judge, model, person)

    def wait(self, language: str) -> list[Any]:
        """[what is said while a test is prepared, Start]"""
        said = _("The rows and adapters are being checked.")
        return [render.waiting(t(said, language)), gr.Button(interactive=False)]

    def ready(self, language: str) -> list[Any]:
        return ["", gr.Button(interactive=True)]

    def start(
        self,
        language: str,
        rows: str | None,
        adapters: list[str],
        base: bool,
        examples: bool,
        judge: str | None,
        model: str,
        agreed: bool,
        *,
        person: Person,
    ) -> Any:
        """[the new test's id, why it was not started]: the form is long, so that is said in it and stays there until
        the next start."""
        try:
            return self._start(rows, adapters, base, examples, judge, model, agreed, person), ""
        except LoraHubError as error:
            sign = asked_by(person) if isinstance(error, AccessError) else ""
            return gr.skip(), render.error_card(error, language) + sign

    def _start(
        self,
        rows: str | None,
        adapters: list[str],
        base: bool,
        examples: bool,
        judge: str | None,
        model: str,
        agreed: bool,
        person: Person,
    ) -> str:
        judging = test_sets_judge.check(judge, model, agreed)
        rows = (rows or "").strip()
        if not rows:
            raise DataError(_("No rows were chosen."), _("Choose a file, or a run whose held-out rows are asked."))
        named: dict[str, Any] = {"run": rows.removeprefix(RUN)}
        if rows.startswith(FILE):
            named = {"file": use_cases.open_dataset(person, rows.removeprefix(FILE))}
        elif not rows.startswith(RUN):
            named = {"file": use_cases.fetch_dataset(person, rows)}
        state = use_cases.start_test(
            person, self.page.comparer, adapters or [], base=base, examples=examples, **judging, **named
        )
        return state.id

    def look(
        self,
        language: str,
        test_id: str,
        seen_before: str,
        show: str,
        order: str,
        paged: str,
        plot: str | None,
        pane: str | None,
        *,
        person: Person,
    ) -> list[Any]:
        try:
            tests = use_cases.list_tests(person, self.page.tests)
        except AccessError as error:  # signed out since
            return [render.error_card(error, language), "", *self._nothing(), ""]
        listed = render_tests.tests_list(tests, test_id, language)
        state = next((one for one in tests if one.id == test_id), None)
        if state is None:
            if test_id:
                return [listed, render.error_card(_not_there(test_id), language), *self._nothing(), ""]
            said = render.empty(
                *(t(one, language) for one in ([_("Choose a test from the list.")] if tests else render_tests.WHAT_FOR))
            )
            return [listed, said, *self._nothing(), ""]
        stamp = " ".join(
            [state.id, state.state, str(state.attempt), show, order, paged, plot or "", pane or "", language]
        )
        mine, is_going = rules.can_change(person, state), render_tests.is_going(state)
        drawn = [
            listed,
            render_tests.head(state, language),
            gr.Timer(active=is_going),
            gr.Button(visible=mine and is_going and not state.cancelling),
            gr.Button(visible=mine and render_tests.may_resume(state)),
            gr.Button(t(render_tests.share_words(state), language), visible=mine and not person.is_local),
        ]
        if stamp == seen_before:
            return [*drawn, *[gr.skip()] * 10, stamp]
        is_done = state.state is RunState.SUCCEEDED
        files = [gr.Button(visible=is_done), gr.Button(visible=is_done)]
        deleting = gr.Button(t(_("Delete"), language), variant="secondary", visible=mine and not is_going)
        if not is_done:
            return [*drawn, *files, deleting, "", gr.Column(visible=False), *[gr.skip()] * 5, stamp]
        report = use_cases.read_test(person, test_id)
        return [*drawn, *files, deleting, *self._found(report, language, show, order, paged, plot, pane), stamp]

    def _found(
        self, report: Any, language: str, show: str, order: str, paged: str, plot: str | None, pane: str | None
    ) -> list[Any]:
        """[result, box, plots, models, what stands above the picture, picture, rows]"""
        task, panes = report.state.spec.task, list(report.result["metrics"])
        has_labels = task.output == "labels"
        metric = metric_title(report.result["metric"], language)
        titles = render_tests.plot_titles(metric, figures.columns_of(report.rows), has_labels)
        plot = plot if plot in titles else "scores"
        pane = pane if pane in panes else panes[-1]
        place = f"{report.state.id} {show} {order}"
        asked, _space, number = paged.rpartition(" ")
        of_page = page_number(number) if asked == place else 1
        return [
            render_tests.result(report.result, report.problems, language),
            gr.Column(visible=True),
            gr.Dropdown(choices=[(t(said, language), one) for one, said in titles.items()], value=plot),
            gr.Dropdown(
                choices=[(render_tests.pane_name(one, language), one) for one in panes],
                value=pane,
                visible=plot in ("confusion", "calibration"),
            ),
            *self._picture(report, plot, pane, t(titles[plot], language), language),
            render_tests.rows_table(report.rows, show, order, of_page, place, language),
        ]

    def _picture(self, report: Any, plot: str, pane: str, title: str, language: str) -> list[Any]:
        task, rows = report.state.spec.task, report.rows
        panes = {one: render_tests.pane_name(one, language) for one in report.result["metrics"]}
        if plot == "confusion":
            figure = test_plots.heat(figures.confusion(task, rows, pane), language)
        elif plot == "calibration":
            figure = test_plots.curve(figures.calibration(rows, pane), language)
        elif plot == "scores":
            scores = {one: Score(**of[report.result["metric"]]) for one, of in report.result["metrics"].items()}
            figure = test_plots.dots([(panes[one], [(panes[one], score)]) for one, score in scores.items()], language)
        else:
            grouped = {
                "length": lambda: figures.by_length(task, rows),
                "label": lambda: figures.by_label(task, rows),
            }
            groups = grouped.get(plot, lambda: figures.by_column(task, rows, plot.removeprefix("column ")))()
            marks = [
                (self._group_name(one, plot, language), [(panes[who], score) for who, score in one.scores.items()])
                for one in groups
            ]
            figure = test_plots.dots(marks, language, names=list(panes.values()))
        if plot in ("confusion", "calibration"):
            title = f"{title}: \u2068{panes[pane]}\u2069"  # isolated: a path begins with its slash in Persian, too
        name = re.sub(r"[^\w.-]+", "-", f"{report.state.id}-{plot}")[:MOST_FILE_NAME]
        words = test_plots.in_words(figure, language)
        return [render_tests.above_plot(title, name, words, language), test_plots.picture(figure)]

    def _group_name(self, group: Any, plot: str, language: str) -> str:
        """With how many rows it has. Lengths are ours to write; other names are the file's."""
        name = digits(group.name, language) if plot == "length" else test_plots.word(group.name) or "-"
        return t(_("{name} ({rows})"), language, name=name, rows=digits(str(group.rows), language))

    def _nothing(self) -> list[Any]:
        """Updates for everything between head and stamp when no test is shown."""
        off = {"visible": False}
        buttons = [gr.Button(**off) for _button in range(6)]
        return [gr.Timer(active=False), *buttons, "", gr.Column(**off), gr.skip(), gr.skip(), "", None, ""]

    def cancel(self, language: str, test_id: str, *, person: Person) -> None:
        use_cases.cancel_test(person, test_id)

    def resume(self, language: str, test_id: str, *, person: Person) -> None:
        use_cases.resume_test(person, test_id)
        inform(render.escape(t(_("The test goes on."), language)), language)

    def share(self, language: str, test_id: str, *, person: Person) -> None:
        """Shares a test, or takes that back."""
        is_private = use_cases.refresh_test(person, test_id).visibility == "private"
        use_cases.share_test(person, test_id, "organization" if is_private else "private")
        said = (
            _("Members of the organization can open it by its link, with its rows and answers.")
            if is_private
            else _("It is yours alone.")
        )
        inform(render.escape(t(said, language)), language)

    def delete(self, language: str, test_id: str, pressed_for: str, *, person: Person) -> Any:
        """The first press asks for confirmation; a second one for the same test deletes it."""
        if pressed_for != test_id:
            return *asks_again(language, test_id), gr.skip()
        use_cases.delete_test(person, test_id)
        return *not_pressed(_("Delete"), language, visible=False), ""

    def save_csv(self, language: str, test_id: str, *, person: Person) -> str:
        report = self._report(person, test_id)
        # The byte order mark tells spreadsheets that it is UTF-8.
        return _file(f"{test_id}.csv", "text/csv", "\ufeff" + test_sets.to_csv(report.rows))

    def save_json(self, language: str, test_id: str, *, person: Person) -> str:
        report = self._report(person, test_id)
        whole = test_sets.to_json(report.state.spec, report.result, report.rows)
        return _file(f"{test_id}.json", "application/json", json.dumps(whole, ensure_ascii=False, indent=1))

    def _report(self, person: Person, test_id: str) -> Any:
        report = use_cases.read_test(person, test_id)
        if report.result is None:
            raise RunError(
                _("The test {test_id} has no result yet."), _("Wait until it has succeeded."), test_id=test_id[:160]
            )
        return report

    def ask(self, language: str, place: str, *, person: Person) -> tuple[Any, Any, str]:
        """A row as a question in Compare, to the first adapters of its test. place: "test filter order row"."""
        test_id, _rest, row = place.partition(" ")[0], "", place.rpartition(" ")[2]
        report = self._report(person, test_id)
        found = next((one for one in report.rows if str(one.row) == row), None)
        if found is None:
            return gr.skip(), gr.skip(), ""
        spec = report.state.spec
        names = list(spec.adapters)[: self.page.compare_names.max_choices or 4]
        texts = [str(found.inputs.get(role, "")) for role in spec.task.inputs]
        if spec.task.is_chat:
            texts = [found.prompt]
        return gr.Dropdown(choices=names, value=names), gr.Tabs(selected="compare"), json.dumps({"texts": texts})


def _not_there(test_id: str) -> RunError:
    return RunError(
        _("There is no test {test_id!r} that you may see."),
        _("Choose one of the list, or ask its owner to share it."),
        test_id=test_id[:160],
    )


def _file(name: str, kind: str, text: str) -> str:
    return json.dumps({"name": name, "kind": kind, "text": text}, ensure_ascii=False)
