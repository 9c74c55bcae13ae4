"""Finds leftovers of a template or web page in the texts: unfilled placeholders and HTML tags.

Code, SQL, LaTeX and JSON contain many intended braces and percent signs. A certain placeholder ([Your Name]) is
reported anywhere; a possible one ({name}, ${x}, %s) only in texts without code.
"""

import polars

from lora_hub.core.messages import _, _n
from lora_hub.data.checks.check_secrets import any_of
from lora_hub.data.checks.rows import Check
from lora_hub.data.tables.findings import Finding, finding

_WORDS = (
    "NAME|DATE|TIME|ADDRESS|E-?MAIL|PHONE|COMPANY|CITY|COUNTRY|NUMBER|AMOUNT|PRICE|TITLE|RECIPIENT|SENDER|CUSTOMER|PRODUCT|URL|LINK"
    "|PLACEHOLDER|TODO|TBD"
)
_PERSIAN = "نام|نامِ|تاریخ|نشانی|آدرس|شماره|شمارهٔ|مبلغ|ایمیل|عنوان|موضوع|شرکت|مشتری|محصول|شهر|متن خود|اینجا"
SURE = (
    r"\[(?:[Yy]our|YOUR|INSERT|[Ii]nsert|ENTER|Enter|ADD|FILL) [^\]\[\n]{1,50}\]|<(?:[Yy]our|YOUR|[Ii]nsert|INSERT)[ "
    r"_][\w ]{1,40}>"
    rf"|\[(?:[A-Z]+[ _])?(?:{_WORDS})(?:[ _][A-Z]+)?\]|[Ll]orem ipsum"
    rf"|[\[{{](?:{_PERSIAN})(?:[ \u200c][^\]\[{{}}\n]{{1,30}})?[\]}}]|<(?:{_PERSIAN})(?:[ \u200c][^<>\n]{{1,30}})?>"
    r"|«(?:نام|نام خانوادگی|نام و نام خانوادگی|نام مشتری|نام شرکت|نام محصول|نام کاربر|نام شما|تاریخ امروز|شماره تماس)»"
)
LIKELY = (
    r"\{\{\s*\w[\w .*+/-]*\}\}|(?:^|[\s\"'(,:«،>-])\{[A-Za-z_]\w*\}|(?:^|[\s\"'(,:«،>-])\$\{\w+\}|<[A-Z]+(?:_[A-Z]+)+>"
    rf"|<(?:{_WORDS})>|\[[A-Z]+(?:_[A-Z]+)+\]|%\([A-Za-z_]\w*\)s|(?:^|\s)%[sd](?:[\s.,!?]|$)"
)
# The start of each pattern: one quick pass leaves few texts for the slow patterns.
SIGNS, LOREM = r"[{<\[%«&]", "orem ipsum"
CODE = (
    r"```|\bdef \w+\(|\bfunction\b\s*\w*\s*\(|\bclass "
    r"\w+\s*[:({]|\b(?:const|let|var)\s+\w+\s*=|\bprint\w*\(|console\.log|System\.out"
    r"|\bimport \w+|#include|=>|;\s*(?:\n|\\n)|\{\s*(?:\n|\\n)|\bf[\"'][^\"']*\{|`[^`]*\$\{"
    r"|(?i:\bselect\b[^.]{1,300}\bfrom\b)"
    r"|(?i:\binsert into\b)|\\[a-z]+\{|\$\$|===?|!=|<\?php|\breturn [^.]*;|#!/"
)
HTML = (
    r"(?i)</?(?:br|p|div|span|b|i|u|em|strong|a|img|ul|ol|li|table|tr|td|th|h[1-6]|font|script|style|center|hr)(?:\s[^<>]{0,200})?/?>"
    r"|&(?:amp|nbsp|lt|gt|quot|apos|zwnj|laquo|raquo|[mn]dash|hellip|rsquo|lsquo|[lr]dquo|#\d{2,5}|#x[0-9a-f]{2,4});"
)
PAGES = r"(?i)```|<!doctype|<html|<body|<head>"  # complete pages are intended


def check_templates(frame: polars.DataFrame, roles: list[str]) -> list[Finding]:
    """`frame`: row and texts."""
    lorem = polars.any_horizontal([polars.col(role).str.contains(LOREM, literal=True) for role in roles])
    signed = frame.filter(any_of(roles, SIGNS) | lorem)
    return [found for check in (_placeholders, _html) if signed.height and (found := check(signed, roles))]


def _placeholders(frame: polars.DataFrame, roles: list[str]) -> Finding | None:
    likely = polars.any_horizontal(
        [polars.col(role).str.contains(LIKELY) & ~polars.col(role).str.contains(CODE) for role in roles]
    )
    hits = frame.filter(any_of(roles, SURE) | likely)["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row with a template's placeholder left in the text, such as {{name}}, [Your Name] or %s.",
        "{count:,} rows with a template's placeholder left in the text, such as {{name}}, [Your Name] or %s.",
        count=hits.len(),
    )
    return finding(
        "placeholders", "warning", said, hint=_("Fill them in, or the adapter learns to write them."), rows=hits
    )


def _html(frame: polars.DataFrame, roles: list[str]) -> Finding | None:
    marked = polars.any_horizontal(
        [polars.col(role).str.contains(HTML) & ~polars.col(role).str.contains(PAGES) for role in roles]
    )
    hits = frame.filter(marked)["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row with HTML left in the text, such as <br> or &amp;.",
        "{count:,} rows with HTML left in the text, such as <br> or &amp;.",
        count=hits.len(),
    )
    return finding(
        "html",
        "info",
        said,
        hint=_("They are learnt as they stand; take them out where they are not meant."),
        rows=hits,
    )


CHECKS = (Check(110, "texts", lambda rows: check_templates(rows.frame, rows.texts)),)
