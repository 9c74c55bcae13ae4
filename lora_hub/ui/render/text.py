"""The page's sentences in a language, and its numbers.

    t(_("Train"), "fa")                          the Persian text, from locale/
    t(_("{count} rows"), "en", count="1,200")    with its values filled in, names in another script isolated

Texts that people write are not translated here; `render` escapes those.
"""

import re
import time
from datetime import datetime

from lora_hub.core import languages
from lora_hub.core.languages import ENGLISH, has_own_digits, in_digits, in_digits_only
from lora_hub.core.messages import Message, _

# Text that keeps its Latin digits, and so do the words beside it. The single group makes re.split return it.
_LATIN = re.compile(
    r"""(
    «[^«»]*»                                                  # a name or a value to type
    | https?://\S+ | [\w.-]*\d[\w.-]*:\d{2,5}\b(?=.*/)         # addresses
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)? | localhost:\d+
    | [^\s«»،؛؟()]*[/\\][^\s«»،؛؟()]*[A-Za-z][^\s«»،؛؟()]*        # paths
    | --?[A-Za-z][\w-]*(?:[ =]\S+)? | [A-Za-z_][\w.]*=\S+      # options and settings
    | \bv?\d+(?:\.\d+){2,}\S* | \bv\d+(?:\.\d+)*               # versions
    | \b(?!(?:BLEU|chrF|ROUGE-L|F1)\b)[A-Za-z][\w-]*\ \d+\.\d+(?:\.\d+)*   # transformers 4.57
    | \bHTTP\ \d{3}                                           # a code, not a count
    | \d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}\S*)?                # a moment as programs write it
    | (?:[-\d.]+(?:\ یا\ |،\ ))*[-\d.]+[eE]-?\d+(?:(?:\ یا\ |،\ )[-\d.eE]+)*  # 16 یا 2e-4
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(
    r"(?<![\w.\-])-?\d+(?:,\d{3})*(?:\.\d+)?(?: ?%)?(?![\w]|[.,]\d|-[\d\w])|(?<=\d[-–])\d+(?:\.\d+)?(?: "
    r"?%)?(?![\w.\-])|(?<![\w.\-])\d+(?:\.\d+)?(?=[-–]\d+(?:\.\d+)?(?: ?%)?(?![\w.\-]))"
)
# Right-to-left letters: Hebrew, Arabic and related scripts.
RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufefc"
_RIGHT = re.compile(f"[{RIGHT_TO_LEFT}]")
_LATIN_LETTER = re.compile("[A-Za-z]")
_ENGLISH = re.compile(r"\b(?:the|an?|is|are|was|were|of|to|and|in|with|that|this|row|rows|column|labels?)\b")
_SMALL_PERSIAN = re.compile(r"(?<!\w)(?:در|از|به|با|را|و|که|این|است|نیست|شد|دارد|ندارد|نشد|یا)(?!\w)")


def t(said: Message, language: str, **values: object) -> str:
    """A sentence of the page with its values filled in; names of the other direction are isolated."""
    return said.filled(values).in_language(language, isolate=True)


def direction(text: str) -> str:
    """The direction of one of our sentences, or of its HTML. All its letters count, because the first may belong to a
    Latin name. An English or Persian sentence is recognized by that language's function words, one in another language
    by the majority of its letters."""
    ours = re.sub("«[^«»]*»|\u2068[^\u2068\u2069]*\u2069|<bdi>[^<]*</bdi>|<[^>]*>", "", text)
    right, left = len(_RIGHT.findall(ours)), len(_LATIN_LETTER.findall(ours))
    if not right:
        return "rtl" if not left and _RIGHT.search(text) else "ltr"
    is_english = _ENGLISH.search(ours) and not _SMALL_PERSIAN.search(ours)
    return "ltr" if is_english and right <= 2 * left else "rtl"


def digits(text: str, language: str) -> str:
    """The text with the language's digits and per cent sign."""
    return in_digits_only(text, language).replace("%", in_digits("%", language))


def own_digits(text: str, language: str) -> str:
    """A sentence with all numbers in the language's own digits, if it has them. These stay Latin: text quoted in «»,
    addresses, paths, versions, values to type, HTTP codes, names that contain digits, and numbers that are alternatives
    to one of these ("16 یا 2e-4")."""
    if not has_own_digits(language):
        return text
    return "".join(
        part if place % 2 else _with_ranges(_NUMBER.sub(lambda found: _own(found.group(), language), part), language)
        for place, part in enumerate(_LATIN.split(text))
    )


def _own(text: str, language: str) -> str:
    text = text.replace(" %", "%")
    # What is in its digits already has the marks of its sign, too.
    return in_digits(text, language) if text.isascii() else text.replace("%", in_digits("%", language))


def _with_ranges(text: str, language: str) -> str:
    """A dash between two numbers would be reordered beside right-to-left letters, so words replace it."""
    one = "[" + in_digits("0", language) + "-" + in_digits("9", language) + "]"
    sign, mark = (
        re.escape(in_digits("%", language)),
        f"[{one[1:-1]}{in_digits('.', language)}{in_digits(',', language)}]",
    )
    number = f"{one}{mark}*{sign}?"
    inside = f"{mark[:-1]}\\-–]"
    between = re.compile(f"(?<!{inside})({number}) ?[-–] ?({number})(?!{inside})")
    return between.sub(lambda found: t(_("{low} to {high}"), language, low=found[1], high=found[2]), text)


def number(value: float, language: str, decimals: int = 0) -> str:
    """1234567.8 -> "1,234,568"."""
    return in_digits(f"{value:,.{decimals}f}", language)


def page_number(text: str) -> int:
    """The page that a button of a list sent. It comes from the browser: anything that is no page is the first."""
    return max(1, int(text)) if text.isdecimal() and len(text) <= 9 else 1


def percent(value: float, language: str, decimals: int = 1) -> str:
    """A value in per cent: 93.25 -> "93.3 %"."""
    return languages.percent(number(value, language, decimals), language)


# From here on a value is told in the next unit: 999,886,000 is "1.0 B" and not "1,000 M".
ROUNDED = 0.9995


def count_of(value: float, language: str) -> str:
    """A count, such as parameters: 1_700_000_000 -> "1.7 B"."""
    for size, unit in ((1e9, _("B")), (1e6, _("M")), (1e3, _("k"))):
        if value >= ROUNDED * size:
            return f"{_scaled(value / size, language)} {t(unit, language)}"
    return number(value, language)


def size_of(value: float, language: str) -> str:
    """Bytes: 1_500_000_000 -> "1.5 GB". A MB is 1,000,000 bytes wherever a size is told or set."""
    for size, unit in ((1e9, _("GB")), (1e6, _("MB")), (1e3, _("kB"))):
        if value >= ROUNDED * size:
            return f"{_scaled(value / size, language)} {t(unit, language)}"
    return f"{number(value, language)} {t(_('bytes'), language)}"


def _scaled(value: float, language: str) -> str:
    return number(value, language, 0 if value >= 100 else 1)


def dollars(amount: float, language: str) -> str:
    """US dollars: 0.004 -> "under $0.01", 12.5 -> "$12.50"."""
    if 0 < amount < 0.01:
        return t(_("under {amount}"), language, amount=dollars(0.01, language))
    return t(_("${amount}"), language, amount=number(amount, language, 2))


def duration(seconds: float, language: str) -> str:
    """95 -> "1 min 35 s"; hours and minutes for long ones."""
    seconds = max(0, round(seconds))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return t(
            _("{hours} h {minutes} min"), language, hours=number(hours, language), minutes=number(minutes, language)
        )
    if minutes:
        return t(
            _("{minutes} min {seconds} s"),
            language,
            minutes=number(minutes, language),
            seconds=number(seconds % 60, language),
        )
    return t(_("{seconds} s"), language, seconds=number(seconds, language))


def moment(at: float, language: str) -> str:
    """A moment (UTC seconds) on this machine's clock: "28 Nov, 21:17", with the year if it is not this year's; in other
    languages the date in figures. The caller isolates it, because its parts would be reordered beside right-to-left
    letters."""
    told, now = datetime.fromtimestamp(at), datetime.now()
    clock = digits(f"{told:%H:%M}", language)
    if language != ENGLISH:
        return _reading(language) + languages.day_and_time(languages.day(told, language), clock, language)
    # Not strftime: its month names follow the machine's language.
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    year = f" {told.year}" if told.year != now.year else ""
    return f"{told.day} {months[told.month - 1]}{year}, {clock}"


def iso_moment(text: str, language: str) -> str:
    """A moment as the Hub writes it ("2026-11-28T21:17:04+00:00"), shortened to the requested precision. The caller
    isolates it."""
    written, _sign, clock = text.partition("T")
    try:
        shown = languages.day(datetime.strptime(written, "%Y-%m-%d"), language)
    except ValueError:
        return text  # a Hub may say anything
    return _reading(language) + f"{shown} {digits(clock, language)}".strip()


def between(language: str) -> str:
    """The separator of facts in one line: a middle dot, unless it looks like a digit zero of the language."""
    return t(_(" · "), language)


def _reading(language: str) -> str:
    """A direction mark before bare figures that are to be read from right to left, because they have no letter that
    says so."""
    return "\u200f" if language != ENGLISH and languages.direction(language) == "rtl" else ""


def age(at: float, language: str, now: float | None = None) -> str:
    """How long ago a moment (UTC seconds) was: "3 min ago"."""
    past = max(0.0, (time.time() if now is None else now) - at)
    for size, said in ((86400, _("{count} d ago")), (3600, _("{count} h ago")), (60, _("{count} min ago"))):
        if past >= size:
            return t(said, language, count=number(past // size, language))
    return t(_("just now"), language)
