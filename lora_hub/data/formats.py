"""What the reader reads, named in one place: the page's step 2, the refusals and README say it from here.

    TABLES      (English, Persian) of each kind of file, in the order in which people have them
    PACKED      what a file may be packed as

In Persian each Latin name is isolated (U+2068, U+2069): in a row they would run from left to right within the sentence.
"""

import re


def _isolated(text: str) -> str:
    return re.sub(r"[A-Za-z][A-Za-z0-9]*(?: [A-Z][A-Za-z]*)*", "\u2068\\g<0>\u2069", text)


TABLES = (
    ("CSV or TSV (any delimiter)", "CSV یا TSV (با هر جداکننده)"),
    ("Excel (xlsx, xlsm, xls, ods)", "اکسل (xlsx، xlsm، xls، ods)"),
    ("JSON", "JSON"),
    ("JSON Lines", "JSON Lines"),
    ("Parquet", "Parquet"),
    ("Arrow", "Arrow"),
    ("HTML tables", "جدول HTML"),
    ("Markdown tables", "جدول Markdown"),
    ("fastText", "fastText"),
)
PACKED = ("zip", "tar", "gz", "bz2", "xz", "zst", "lz4")

NAMED = ", ".join(en for en, _ in TABLES)
NAMED_FA = "، ".join(_isolated(fa) for _, fa in TABLES)
PACKED_NAMED = f"{', '.join(PACKED[:-1])} or {PACKED[-1]}"
PACKED_NAMED_FA = _isolated(f"{'، '.join(PACKED[:-1])} یا {PACKED[-1]}")

# What a refusal advises.
FORMATS = f"Use one of these: {NAMED}, or one of them packed ({PACKED_NAMED})."
FORMATS_FA = f"یکی از این‌ها را بدهید: {NAMED_FA}، یا فشردهٔ یکی از آن‌ها ({PACKED_NAMED_FA})."
