"""How the checks say how many and which, in English and in Persian.

    rows(3), rows(1)             "3 rows", "1 row"
    number_fa(1234)              "۱٬۲۳۴"
    some(["a", "b", "c"], 2)     Text2("a, b and 1 more", "a، b و ۱ تای دیگر")
"""

from collections.abc import Sequence

from lora_hub.core.schema import Text2

_DIGITS = str.maketrans("0123456789,.%", "۰۱۲۳۴۵۶۷۸۹٬٫٪")


def number_fa(value: int) -> str:
    return f"{value:,}".translate(_DIGITS)


def percent_fa(share: float) -> str:
    """A share (0 to 1) as whole per cent."""
    return f"{share:.0%}".translate(_DIGITS)


def counted(count: int, noun: str, plural: str = "") -> str:
    """"1 row", "1,200 rows"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def rows(count: int) -> str:
    return counted(count, "row")


def some(names: Sequence[str], most: int) -> Text2:
    """The first `most` names, and how many more there are. Long names are cut."""
    shown = [name if len(name) <= 60 else name[:59] + "…" for name in names[:most]]
    more = len(names) - len(shown)
    if not more:
        return Text2(en=", ".join(shown), fa="، ".join(shown))
    return Text2(en=f"{', '.join(shown)} and {more:,} more", fa=f"{'، '.join(shown)} و {number_fa(more)} تای دیگر")
