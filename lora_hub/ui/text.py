"""The page's sentences in a language, and how numbers read in it.

    t(_("Train"), "fa")                          the Persian text, from locale/
    t(_("{count} rows"), "en", count="1,200")    with its values filled in, names of the other script kept apart

Texts that people write never come through here; `render` escapes those.
"""

import re
import time

from lora_hub.core.messages import Message, _, in_digits, isolated
from lora_hub.ui.words import WORDS

LANGUAGES = ("en", "fa")
# What keeps its Latin digits, and with it what stands beside it; the one group makes re.split return it.
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
_RANGE = re.compile(r"(?<![۰-۹٫٬\-–])([۰-۹][۰-۹٫٬]*٪?) ?[-–] ?([۰-۹][۰-۹٫٬]*٪?)(?![۰-۹٫٬\-–])")
_PERSIAN = re.compile("[\u0600-\u06ff]")
_ENGLISH = re.compile(r"\b(?:the|an?|is|are|was|were|of|to|and|in|with|that|this|row|rows|column|labels?)\b")
_SMALL_PERSIAN = re.compile(r"(?<!\w)(?:در|از|به|با|را|و|که|این|است|نیست|شد|دارد|ندارد|نشد|یا)(?!\w)")
_PERSIAN_DIGITS = str.maketrans("0123456789%", "۰۱۲۳۴۵۶۷۸۹٪")


def t(said: Message, language: str, **values: object) -> str:
    """A sentence of the page, with its values filled in."""
    return said.filled({name: isolated_name(value, language) for name, value in values.items()}).in_language(language)


def isolated_name(value: object, language: str) -> object:
    """A name, a path or a value of the other script for the middle of a sentence: the characters around it let it keep
    to itself, so that it does not reorder its neighbours (Unicode's bidirectional algorithm, UAX 9: FSI and PDI)."""
    if not isinstance(value, str) or "<" in value:
        return value
    if language == "fa":
        return isolated(value)
    return f"\u2068{value}\u2069" if _PERSIAN.search(value) and "\u2068" not in value else value


def direction(text: str) -> str:
    """How a sentence of ours reads: by its letters, not by its first one, which may be a Latin name's. An English
    sentence with Persian names in it is known by the small words of its language, and a Persian one by its own."""
    ours = re.sub("«[^«»]*»|\u2068[^\u2068\u2069]*\u2069", "", text)
    is_english = _ENGLISH.search(ours) and not _SMALL_PERSIAN.search(ours)
    return "rtl" if _PERSIAN.search(text) and not is_english else "ltr"


def digits(text: str, language: str) -> str:
    """The same text with the language's digits."""
    return text.translate(_PERSIAN_DIGITS) if language == "fa" else text


def persian_numbers(text: str) -> str:
    """A Persian sentence with its numbers in Persian digits. Latin stay: what is quoted in «», addresses, paths,
    versions, values to type, HTTP codes, names with digits in them, and numbers that are alternatives to one of these
    ("16 یا 2e-4")."""
    return "".join(
        part if place % 2 else _RANGE.sub(_in_range, _NUMBER.sub(lambda found: _in_persian(found.group()), part))
        for place, part in enumerate(_LATIN.split(text))
    )


def _in_range(found: re.Match) -> str:
    # A dash between two numbers turns around beside Persian; words do not.
    return f"{found[1]} تا {found[2]}"


def _in_persian(text: str) -> str:
    return in_digits(text.replace(" %", "%"), "fa")


def number(value: float, language: str, decimals: int = 0) -> str:
    """1234567.8 -> "1,234,568"."""
    return in_digits(f"{value:,.{decimals}f}", language)


def percent(value: float, language: str) -> str:
    """A share that is already in per cent, with one decimal: 93.25 -> "93.3 %"."""
    return f"{number(value, language, 1)}{'٪' if language == 'fa' else ' %'}"


def count_of(value: float, language: str) -> str:
    """Parameters and the like: 1_700_000_000 -> "1.7 B"."""
    for size, key in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if value >= size:
            scaled = value / size
            return f"{number(scaled, language, 0 if scaled >= 100 else 1)} {t(WORDS[key], language)}"
    return number(value, language)


def size_of(value: float, language: str) -> str:
    """Bytes: 1_500_000_000 -> "1.4 GiB"."""
    for size, key in ((1 << 30, "gib"), (1 << 20, "mib"), (1 << 10, "kib")):
        if value >= size:
            scaled = value / size
            return f"{number(scaled, language, 0 if scaled >= 100 else 1)} {t(WORDS[key], language)}"
    return f"{number(value, language)} {t(_('bytes'), language)}"


def dollars(amount: float, language: str) -> str:
    """US dollars: 0.004 -> "under $0.01", 12.5 -> "$12.50"."""
    if 0 < amount < 0.01:
        return t(_("under {amount}"), language, amount=dollars(0.01, language))
    return t(_("${amount}"), language, amount=number(amount, language, 2))


def duration(seconds: float, language: str) -> str:
    """95 -> "1 min 35 s"; hours and minutes where it is long."""
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
    """A moment (UTC seconds) by the clock of this machine: "28 Nov, 21:17", with the year where it is another one."""
    told, now = time.localtime(at), time.localtime()
    if language == "fa":
        # Gregorian, as run ids and commits have it. Whoever shows it isolates it: beside Persian the slashes would
        # reorder it.
        return digits(time.strftime("%Y/%m/%d، %H:%M", told), language)
    # By hand: strftime's names of months follow the machine's language.
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    year = f" {told.tm_year}" if told.tm_year != now.tm_year else ""
    return f"{told.tm_mday} {months[told.tm_mon - 1]}{year}, {told.tm_hour:02}:{told.tm_min:02}"


def iso_moment(text: str, language: str) -> str:
    """A moment as the Hub writes it ("2026-11-28T21:17:04+00:00"), without what is more than asked for. It is isolated
    by whoever shows it; in Persian with slashes, since hyphens would reorder it."""
    shown = text.replace("T", " ")
    return digits(shown.replace("-", "/"), language) if language == "fa" else shown


def age(at: float, language: str, now: float | None = None) -> str:
    """How long ago a moment (UTC seconds) was: "3 min ago"."""
    past = max(0.0, (time.time() if now is None else now) - at)
    for size, key in ((86400, "days_ago"), (3600, "hours_ago"), (60, "minutes_ago")):
        if past >= size:
            return t(WORDS[key], language, count=number(past // size, language))
    return t(_("just now"), language)
