"""Tables from several files of an archive: a text in two languages, one line for each text; or a folder for each class,
one text in each file. Also selects the part of a split that is scored."""

from collections.abc import Sequence
from dataclasses import replace

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Problem
from lora_hub.data.read import archives
from lora_hub.data.read.archive_members import Plan, language_of
from lora_hub.data.read.archives import Member
from lora_hub.data.read.encodings import decode
from lora_hub.data.read.source import Source
from lora_hub.data.tables.table import Table


def read_plan(
    plan: Plan, sources: Sequence[Source], encoding: str, limit: int, name: str, members: Sequence[Member] = ()
) -> Table:
    """`sources`: the contents of `plan.main` (or `members`, if given). Raises DataError if files that belong together
    differ in their number of lines."""
    members = members or plan.main
    read = [decode(_unpacked(source, limit), encoding) for source in sources]
    problems = [problem for decoded in read[:2] for problem in decoded.problems]
    texts = [decoded.source.read().decode("utf-8", errors="replace").removeprefix("\ufeff") for decoded in read]
    if plan.kind == "classes":
        labels = [plan.labels[member.name] for member in members]
        frame = polars.DataFrame({"text": [text.strip() for text in texts], "label": labels})
        return Table(frame, "text", read[0].encoding, problems=problems[:1])
    lines = [_lines(text) for text in texts]
    if len({len(one) for one in lines}) > 1:
        counts = several(
            [
                _("{name}: {count:,}", name=member.name, count=len(one))
                for member, one in zip(members, lines, strict=True)
            ],
            ";",
        )
        raise DataError(
            _("The texts in {name} belong together line by line, but have not as many lines ({counts})."),
            _("Put the missing lines in, or save the pairs as CSV with a column a language."),
            name=name,
            counts=counts,
        )
    columns = {language_of(member.name): one for member, one in zip(members, lines, strict=True)}
    return Table(
        polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String)),
        "text",
        read[0].encoding,
        problems=problems,
    )


def join_parts(tables: list[Table], name: str) -> Table:
    """One table from parts with the same columns. Raises DataError if their columns differ."""
    first = tables[0]
    if any(table.columns != first.columns or table.frame.dtypes != first.frame.dtypes for table in tables):
        raise DataError(
            _("The parts of the table in {name} have not the same columns."),
            _("Put them into one file, or drop one of them by itself."),
            name=name,
        )
    first.frame = polars.concat([table.frame for table in tables])
    first.row_numbers = None  # rows are numbered across all parts
    told = {problem.code for problem in first.problems}
    first.problems += [problem for table in tables[1:] for problem in table.problems if problem.code not in told]
    return first


def test_part(table: Table) -> Table:
    """The part to score in a file given as test data: of a train and a test part, the test part, which is reported."""
    test = table.test
    if test is None:
        return table
    said = _n(
        (
            "The file holds a train and a test part: the {count:,} row of the test part is scored, the {train:,} to "
            "train "
            "on are not."
        ),
        (
            "The file holds a train and a test part: the {count:,} rows of the test part are scored, the {train:,} to "
            "train on are not."
        ),
        count=test.rows,
        train=table.rows,
    )
    told = Problem(code="test-part", severity="info", count=test.rows, said=said)
    # The options the file was read with, to read it again.
    kept = {name: getattr(table, name) for name in ("format", "encoding", "delimiter", "sheet", "sheets")}
    return replace(test, **kept, problems=[*test.problems, told])


def _unpacked(source: Source, limit: int) -> Source:
    kind = archives.packing(source.head(16))
    return archives.unpack(source, kind, limit) if kind else source


def _lines(text: str) -> list[str]:
    """Without the empty last line. Only line breaks count: a text may contain other separators."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines
