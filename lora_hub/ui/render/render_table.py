"""The tables of step 2 -> HTML: the file in one line, the first rows of its table, and the rows that a problem is
about.

Every cell declares its own direction. A column of right-to-left texts has its head on the right, too.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import DataPart, DatasetInfo
from lora_hub.ui.render.render import badge, card, cell, escape, pager, sentence
from lora_hub.ui.render.text import between, digits, t

SHOWN_ROWS = 5
# The roles that a column can have in the catalogue's tasks.
ROLES = {
    "answer": _("answer"),
    "text": _("text"),
    "source": _("source"),
    "question": _("question"),
    "context": _("context"),
    "schema": _("schema"),
    "instruction": _("instruction"),
    "input": _("input"),
    "system": _("system text"),
    "messages": _("messages"),
}
# Rows of a problem per page.
PAGE_ROWS = 50
# A wider table is shown in part: its mapped columns, and the first of the others.
SHOWN_COLUMNS = 40
CELL_CHARACTERS, LONG_CHARACTERS = 160, 40


def delimiter_name(delimiter: str, language: str) -> str:
    """The name of a separator, or the separator itself if it is visible."""
    return {"\t": t(_("tab"), language), " ": t(_("space"), language)}.get(delimiter, delimiter)


def file_summary(info: DatasetInfo, rows_in_file: int, language: str) -> str:
    """One line about the file: name, rows, columns, and how it was read."""
    rows = _n("{count:,} row", "{count:,} rows", count=info.rows)
    if info.rows != rows_in_file:
        rows = _n("{shown:,} of {count:,} row", "{shown:,} of {count:,} rows", count=rows_in_file, shown=info.rows)
    columns = t(_n("{count:,} column", "{count:,} columns", count=len(info.columns)), language)
    read = [
        info.format.upper(),
        info.encoding,
        t(_("separator {separator}"), language, separator=delimiter_name(info.delimiter, language))
        if info.delimiter
        else "",
    ]
    if len(info.sheets) > 1 and info.sheet:
        read.append(t(_("sheet {sheet}"), language, sheet=info.sheet))
    said = "".join(f"{between(language)}<bdi>{escape(part)}</bdi>" for part in read if part)
    return (
        f'<p class="lh-file"><strong><bdi>{escape(info.name)}</bdi></strong> {escape(t(rows, language))}'
        f"{between(language)}{escape(columns)}{said}</p>"
    )


def parts(of: Sequence[DataPart], language: str) -> str:
    """The files that a dataset was put together from: rows, and which column is what; empty for one file."""
    rows = []
    for part in of:
        count = t(_n("{count:,} row", "{count:,} rows", count=part.rows), language)
        used = [
            f"{escape(role_name(role, language))}: <bdi>{escape(column)}</bdi>" for role, column in part.mapping.items()
        ]
        told = between(language).join([escape(count), *used])
        rows.append(f"<li><bdi>{escape(part.name)}</bdi>{between(language)}{told}</li>")
    return f'<ul class="lh-quiet" style="padding-inline-start:1.2em">{"".join(rows)}</ul>' if rows else ""


def gone_columns(gone: dict[str, str], language: str) -> str:
    """Columns that a person chose but that the file, as it is now read, does not have."""
    return "".join(
        card(
            "warn",
            sentence(
                t(
                    _(
                        "The column “{column}”, which you chose as {role}, is not in this reading of the file. "
                        "Another one is proposed."
                    ),
                    language,
                    column=column,
                    role=role_name(role, language),
                )
            ),
        )
        for role, column in gone.items()
    )


def role(name: str) -> Message | str:
    """A role of the catalogue's tasks in words; a role of a custom task as its author wrote it."""
    return ROLES.get(name, name)


def role_name(role: str, language: str) -> str:
    """A role of the catalogue's tasks in the page's language; a role of a custom task as its author wrote it."""
    return t(ROLES[role], language) if role in ROLES else role


def role_label(role: str, language: str) -> str:
    """The same as the label of a field, which begins with a capital letter; an author's own word stays as it is."""
    said = role_name(role, language)
    return said[:1].upper() + said[1:] if role in ROLES else said


def preview(table: Any, mapping: dict[str, str], language: str) -> str:
    """The first rows of a `data.table.Table`; mapped columns show their role."""
    head = type(table)(table.frame.head(SHOWN_ROWS), table.format)
    names = [name for name in table.columns if name in mapping.values()]
    names += [name for name in table.columns if name not in names][: max(0, SHOWN_COLUMNS - len(names))]
    names.sort(key=table.columns.index)
    cells = {name: head.texts(name).to_list() for name in names}
    shown = columns_table(names, cells, mapping, language)
    left = len(table.columns) - len(names)
    return shown + (
        (
            f'<p class="lh-quiet">'
            f"{escape(t(_n('and {count:,} more column', 'and {count:,} more columns', count=left), language))}</p>"
        )
        if left
        else ""
    )


def columns_table(names: Sequence[str], cells: dict[str, list[Any]], mapping: dict[str, str], language: str) -> str:
    """The first rows of a table, from its columns' cells."""
    taken: dict[str, list[str]] = {}
    for role, column in mapping.items():
        taken.setdefault(column, []).append(role)
    heads = []
    for name in names:
        badges = "".join(
            badge(role_name(role, language), "good" if role == "answer" else "live") for role in taken.get(name, [])
        )
        css = ' class="lh-taken"' if name in taken else ""
        heads.append(f'<th scope="col"{css}{direction_of(cells[name])}><bdi>{escape(name)}</bdi>{badges}</th>')
    # A text column is not squeezed to the width of a number.
    wide = [
        ' class="lh-long"' if any(len(str(value or "")) > LONG_CHARACTERS for value in cells[name]) else ""
        for name in names
    ]
    rows = zip(*(cells[name] for name in names), strict=True) if names else []
    body = "".join(
        "<tr>"
        + "".join(f"<td{css}>{cell(value, CELL_CHARACTERS)}</td>" for css, value in zip(wide, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="lh-scroll" tabindex="0"><table class="lh-table lh-head"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def direction_of(values: Sequence[Any]) -> str:
    """The attribute that aligns a column's head with the start of its texts. Cells without letters read left to
    right."""
    right = left = 0
    for value in values:
        first = next(
            (
                kind
                for kind in map(unicodedata.bidirectional, str(value or "")[:CELL_CHARACTERS])
                if kind in ("L", "R", "AL")
            ),
            "",
        )
        right, left = right + (first in ("R", "AL")), left + (first == "L")
    return ' dir="rtl"' if right > left else ' dir="ltr"'


def rows_table(
    rows: Sequence[tuple[int, dict[str, str]]], count: int, language: str, code: str = "", page: int = 1
) -> str:
    """The rows of a problem: their numbers in the file and the text of each role. They are one page of `count` rows;
    code: the problem's, for the links to the other pages."""
    roles = list(dict.fromkeys(role for _, texts in rows for role in texts))
    columns = {role: [texts.get(role, "") for _, texts in rows] for role in roles}
    heads = "".join(
        f'<th scope="col"{direction_of(columns[role])}><bdi>{escape(role_name(role, language))}</bdi></th>'
        for role in roles
    )
    body = "".join(
        f'<tr><th scope="row">{digits(str(place), language)}</th>'
        + "".join(f"<td>{cell(texts.get(role, ''), 300)}</td>" for role in roles)
        + "</tr>"
        for place, texts in rows
    )
    said = (
        pager(
            f'data-rows="{escape(code).replace("{", "").replace("}", "")}@{{page}}"', page, PAGE_ROWS, count, language
        )
        if count > len(rows)
        else ""
    )
    return (
        '<div class="lh-scroll lh-badrows" tabindex="0"><table class="lh-table"><thead><tr>'
        f'<th scope="col">{escape(t(_("Row"), language))}</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{said}"
    )
