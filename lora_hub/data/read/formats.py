"""All supported formats in one place: the page's step 2, the refusals and README take them from here, and `read` finds
its readers here.

    TABLES      each kind of file, the commonest first
    PACKED      what a file may be compressed with
"""

from dataclasses import dataclass

from lora_hub.core.messages import Message, _, several


@dataclass(frozen=True)
class Format:
    """title: as people call it. reader: the module of this folder that knows and reads it, with two functions:

        begins(source, start) -> bool          whether the file is one. start: its first bytes where `is_binary`, else
                                               the first characters of its text, white space before them aside
        read(source, options) -> Table | None  None: it is not one after all. source: in UTF-8 where it is a text
                                               (options: what a person chose, by the names of `read_table`)

    is_binary: its files are no text. is_marked: it is one also where a person names a delimiter. "" as a reader: what
    is none of the others."""

    title: Message | str
    reader: str = ""
    is_binary: bool = False
    is_marked: bool = False

    def __str__(self) -> str:
        return str(self.title)


TABLES = (
    Format(_("CSV or TSV (any delimiter)")),
    Format(_("Excel (xlsx, xlsm, xls, ods)"), "spreadsheets", is_binary=True),
    Format("JSON", "json_files"),
    Format("JSON Lines", "json_files"),
    Format("Parquet", "columnar", is_binary=True),
    Format("Arrow", "columnar", is_binary=True),
    Format(_("HTML tables"), "html_tables", is_marked=True),
    Format(_("Markdown tables"), "text_forms"),
    Format("fastText", "text_forms"),
)
PACKED = ("zip", "tar", "gz", "bz2", "xz", "zst", "lz4")


def readers(*, binary: bool, delimiter: str = "") -> list[str]:
    """The modules to try, each once, in order. delimiter: what a person chose."""
    return list(
        dict.fromkeys(
            one.reader
            for one in TABLES
            if one.reader and one.is_binary == binary and (binary or one.is_marked or not delimiter)
        )
    )


# The advice in a refusal.
FORMATS = _(
    "Use one of these: {formats}, or one of them packed ({packed}).",
    formats=several([one.title for one in TABLES]),
    packed=several(PACKED, "or"),
)
