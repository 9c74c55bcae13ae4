"""Labels from an annotation tool: several annotators' labels of a row become one or none, and open cases are reported
by row.

    export = Export("Label Studio", frame, places)
    export.set_labels("sentiment", [[["Positive"]], [["Positive"], ["Negative"]]])  # one list for each annotator
    export.table(table)  # the table, with the removed rows as problems

Each tool's module (`label_studio`, `prodigy`) says which rows are not approved and which labels each annotator gave.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, Message, _, _n, joined
from lora_hub.core.schema import Problem
from lora_hub.data.tables.table import Question, Table, row_problem
from lora_hub.data.tables.value_text import label_text

# The share of labelled rows with several labels above which this data counts as multi-label.
FEW_SEVERAL = 0.3


# Anything longer is free text.
LONGEST_LABEL = 100


@dataclass
class Export:
    """tool: its name. frame: the columns that may be inputs or answers, one row for each annotated item. places: the
    data row of the file (from 1) for each. aside: the tool's own columns, which are dropped."""

    tool: str
    frame: polars.DataFrame
    places: list[int]
    aside: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # By column: the rows without a label, and what to report about that question. Columns of texts have no such rows.
    questions: dict[str, Question] = field(default_factory=dict)

    def set_labels(self, column: str, given: Sequence[Sequence[Sequence[str]]]) -> None:
        """Sets a column of labels. given: for each row the answers of its annotators, each a list of labels. If
        annotators differ, a majority of more than half decides; otherwise the row has no label. If nearly all rows have
        one label, a row with several has none either."""
        chosen: list[tuple[str, ...]] = []
        split, outvoted = [], []
        for place, answers in zip(self.places, given, strict=True):
            votes = Counter(tuple(sorted(set(labels))) for labels in answers if labels)
            best, count = votes.most_common(1)[0] if votes else ((), 0)
            if len(votes) > 1:
                (outvoted if 2 * count > sum(votes.values()) else split).append(place)
            chosen.append(best if len(votes) < 2 or 2 * count > sum(votes.values()) else ())
        mixed = [place for place, labels in zip(self.places, chosen, strict=True) if len(labels) > 1]
        if len(mixed) > FEW_SEVERAL * sum(map(bool, chosen)):
            mixed = []
        left = set(mixed)
        texts = [
            label_text(labels) if labels and place not in left else None
            for place, labels in zip(self.places, chosen, strict=True)
        ]
        self.frame = self.frame.with_columns(polars.Series(column, texts, dtype=polars.String))
        self.questions[column] = Question({*split, *mixed})
        self._tell_votes(column, split, outvoted)
        if mixed:
            example = label_text(
                next(labels for place, labels in zip(self.places, chosen, strict=True) if place in left)
            )
            said = _n(
                (
                    "{count:,} row has several labels in {column!r} where the others have one, such as {example!r}: "
                    "left "
                    "out."
                ),
                (
                    "{count:,} rows have several labels in {column!r} where the others have one, such as {example!r}: "
                    "left out."
                ),
                count=len(mixed),
                column=column,
                example=example[:60],
            )
            self.tell(
                "several-labels-left-out",
                mixed,
                said,
                hint=_("Give each of them one label in the tool to keep it."),
                column=column,
            )

    def set_texts(self, column: str, given: Sequence[Sequence[Sequence[str]]]) -> None:
        """Sets a column of texts that annotators wrote, taking the first annotator's text of each row, since texts
        cannot be voted on. given: as above, each text as a list of paragraphs."""
        texts = [["\n".join(parts) for parts in answers if parts] for answers in given]
        others = [place for place, written in zip(self.places, texts, strict=True) if len(set(written)) > 1]
        self.questions[column] = Question(set())
        self.frame = self.frame.with_columns(
            polars.Series(column, [written[0] if written else None for written in texts], dtype=polars.String)
        )
        if others:
            said = _n(
                "In {count:,} row several annotators wrote {column!r}: the first one's text was taken.",
                "In {count:,} rows several annotators wrote {column!r}: the first one's text was taken.",
                count=len(others),
                column=column,
            )
            self.tell("other-annotators", others, said, severity="info")

    def _tell_votes(self, column: str, split: list[int], outvoted: list[int]) -> None:
        if split:
            said = _n(
                (
                    "In {count:,} row the annotators disagree about {column!r} and none of their labels has a "
                    "majority: "
                    "left out."
                ),
                (
                    "In {count:,} rows the annotators disagree about {column!r} and none of their labels has a "
                    "majority: "
                    "left out."
                ),
                count=len(split),
                column=column,
            )
            self.tell(
                "annotators-disagree",
                split,
                said,
                hint=_("Settle them in the tool (as ground truth, for instance) to keep them."),
                column=column,
            )
        if outvoted:
            said = _n(
                "In {count:,} row the annotators disagree about {column!r}: "
                "the label that most of them gave was taken.",
                (
                    "In {count:,} rows the annotators disagree about {column!r}: the label that most of them gave was "
                    "taken."
                ),
                count=len(outvoted),
                column=column,
            )
            self.tell("annotators-outvoted", outvoted, said, severity="info", column=column)

    def leave_out(self, code: str, out: Sequence[bool], said: Message, *, hint: Message = NOTHING) -> None:
        """Removes rows and reports which. said: a sentence with a placeholder for their `count`."""
        gone = [place for place, is_out in zip(self.places, out, strict=True) if is_out]
        if not gone:
            return
        self.tell(code, gone, said.filled({"count": len(gone)}), hint=hint)
        keep = polars.Series([not is_out for is_out in out])
        self.frame = self.frame.filter(keep)
        self.places = [place for place, is_out in zip(self.places, out, strict=True) if not is_out]

    def tell_spans(self, kinds: Iterable[str]) -> None:
        """kinds: the names of the marked text spans; nothing is reported if there are none."""
        if kinds := sorted(kinds):
            self.tell(
                "spans",
                [],
                _("Marked parts of texts ({kinds}) are not learnt: they are no label of the whole text.", kinds=kinds),
            )

    def tell(
        self,
        code: str,
        places: list[int],
        said: Message,
        *,
        hint: Message = NOTHING,
        severity: str = "warning",
        column: str = "",
    ) -> None:
        """column: the column of the question concerned, if any."""
        told = self.questions[column].problems if column else self.problems
        told.append(row_problem(code, severity, said, places, hint=hint))

    def table(self, table: Table) -> Table:
        """`table` with its remaining rows. Raises DataError if none are left."""
        questions = dict(self.questions)
        if len(questions) == 1:  # the only question: rows without it are useless, and have been reported
            only = questions.popitem()[1]
            self.problems += only.problems
            self.frame = self.frame.filter(
                polars.Series([place not in only.rows for place in self.places], dtype=polars.Boolean)
            )
            self.places = [place for place in self.places if place not in only.rows]
        if not self.places:
            raise DataError(
                _("This export of {tool} has no row that an annotator vouches for: {reason}"),
                _("Annotate some in the tool, and export again."),
                tool=self.tool,
                reason=self.problems[0].said,
            )
        aside = _("Its own columns are left aside: {columns}.", columns=self.aside) if self.aside else NOTHING
        self.tell("annotation-export", [], joined(_("An export of {tool}.", tool=self.tool), aside), severity="info")
        numbers = polars.Series("row", self.places, dtype=polars.UInt32)
        whole = self.places == list(range(1, table.rows + 1))
        return replace(
            table,
            frame=self.frame,
            problems=[*table.problems, *self.problems],
            row_numbers=None if whole else numbers,
            questions=questions,
        )
