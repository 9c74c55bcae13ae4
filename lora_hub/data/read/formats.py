"""What the reader reads, named in one place: the page's step 2, the refusals and README say it from here.

TABLES      each kind of file, in the order in which people have them
PACKED      what a file may be packed as
"""

from lora_hub.core.messages import _, several

TABLES = (
    _("CSV or TSV (any delimiter)"),
    _("Excel (xlsx, xlsm, xls, ods)"),
    "JSON",
    "JSON Lines",
    "Parquet",
    "Arrow",
    _("HTML tables"),
    _("Markdown tables"),
    "fastText",
)
PACKED = ("zip", "tar", "gz", "bz2", "xz", "zst", "lz4")

# What a refusal advises.
FORMATS = _(
    "Use one of these: {formats}, or one of them packed ({packed}).",
    formats=several(TABLES),
    packed=several(PACKED, "or"),
)
