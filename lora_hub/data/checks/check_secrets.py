"""Finds likely secrets and personal data in the texts. Reports kind and row, never the value, and masks them on
request.

    check_secrets(frame, ["text"])              at most one finding for secrets and one for personal data
    mask_secrets("mail a@b.example")            "mail [e-mail]"
    mask_series(series)                         the same for a column

Telephone numbers are not searched for: in messages, most digit sequences that look like one are not a person's.

Why not detect-secrets: it is made for program code, flags 5,567 of 5,572 messages as secrets by their entropy, and
takes 13 seconds for them (this: 0.05). Why not python-stdnum: it does not know Iranian accounts, and is slower.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars

from lora_hub.core.messages import Message, _, _n, several
from lora_hub.data.checks.rows import Check
from lora_hub.data.tables.findings import Finding, finding


@dataclass(frozen=True)
class Kind:
    """One kind of secret. `pattern`: valid for both polars' linear-time engine and `re`; if it has a group, only the
    group is masked. `signs`: a text without any of these is skipped (Aho-Corasick, one pass); empty: every text is
    checked. `proves`: a further check of the matched text."""

    code: str
    name: Message
    mask: str
    pattern: str
    signs: tuple[str, ...] = ()
    proves: Callable[[str], bool] | None = None


def _is_card(text: str) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1)."""
    digits = [int(character) for character in text if character.isdigit()]
    if len(set(digits)) == 1:
        return False
    total = sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits)))
    return total % 10 == 0


def _is_password(text: str) -> bool:
    """Contains letters and digits, and is not a call: words of a sentence and program code also follow "password:"."""
    return bool(re.search(r"\d", text) and re.search(r"[^\W\d]", text)) and not re.search(r"[()$]\w*$|\(", text)


def _is_account(text: str) -> bool:
    """An IBAN's check digits (ISO 13616: modulo 97)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


KINDS = (
    Kind(
        "secrets",
        _("an API key"),
        "[key]",
        r"\b(?:sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{20}"
        r"|(?:sk|rk)_live_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}|sq0(?:csp|atp)-[A-Za-z0-9_-]{22,}"
        r"|[0-9a-f]{32}-us[0-9]{1,2}\b)",
        ("sk-", "AIza", "xox", "glpat-", "k_live_", "SG.", "sq0", "-us"),
    ),
    Kind(
        "secrets",
        _("an access token"),
        "[token]",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}"
        r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|pypi-AgE[A-Za-z0-9_-]{50,}"
        r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b)",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "npm_", "eyJ", "pypi-AgE", ":AA"),
    ),
    Kind(
        "secrets",
        _("a cloud key"),
        "[key]",
        r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}\b|AccountKey=[A-Za-z0-9+/]{86}==)",
        ("AKIA", "ASIA", "AccountKey="),
    ),
    Kind(
        "secrets",
        _("a private key"),
        "[key]",
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?:[A-Za-z0-9+/=\s:,-]*?-----END (?:[A-Z]+ )*PRIVATE KEY)?(?:-----)?",
        ("PRIVATE KEY",),
    ),
    Kind(
        "secrets",
        _("a password"),
        "[password]",
        r"(?i)\b(?:password|passwd|pwd|api[_-]?key|secret)\s*[:=]\s*[\"']?([^\s\"',;\[<{(][^\s\"',;]{5,})",
        ("password", "passwd", "pwd", "api_key", "apikey", "api-key", "secret"),
        _is_password,
    ),
    Kind(
        "personal-data",
        _("a card number"),
        "[card number]",
        r"\b(?:[3-6۳-۶]\d{3}(?:[ -]?\d{4}){3}(?:[ -]?\d{3})?|3[47]\d{2}[ -]?\d{6}[ -]?\d{5})\b",
        proves=_is_card,
    ),
    Kind(
        "personal-data",
        _("a bank account (IBAN)"),
        "[bank account]",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        proves=_is_account,
    ),
    Kind(
        "personal-data",
        _("an e-mail address"),
        "[e-mail]",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
        ("@",),
    ),
)


# Anything that matches a pattern without signs also matches these; the quick one is first. No \b here: it is slow in
# any text that is not ASCII.
FOUR_DIGITS = ("[0-9]{4}", "[۰-۹]{4}")
NUMBERS = r"\d(?:[ -]?\d){12}|[A-Z]{2}\d{2} ?[A-Z0-9]{4}"


def check_secrets(frame: polars.DataFrame, roles: list[str]) -> list[Finding]:
    """`frame`: row and texts. One sentence for each code, with the kinds and their counts; the rows of all of them."""
    signs = sorted({sign for kind in KINDS for sign in kind.signs if len(sign) > 1})
    signed, mailed = with_signs(frame, roles, signs), with_signs(frame, roles, ["@"])
    numbered = with_numbers(frame, roles)
    counts: dict[str, list[tuple[Kind, int]]] = {}
    found: dict[str, list[polars.Series]] = {}
    for kind in KINDS:
        hits = _hits(kind, numbered if not kind.signs else mailed if kind.signs == ("@",) else signed, roles)
        if hits.len():
            counts.setdefault(kind.code, []).append((kind, hits.len()))
            found.setdefault(kind.code, []).append(hits)
    return [_told(code, counts[code], polars.concat(found[code]).unique().sort()) for code in counts]


def with_signs(frame: polars.DataFrame, roles: list[str], signs: list[str]) -> polars.DataFrame:
    """The rows that contain any of `signs`, ignoring case."""
    if len(signs) == 1:
        found = [polars.col(role).str.contains(signs[0], literal=True) for role in roles]
    else:
        found = [polars.col(role).str.contains_any(signs, ascii_case_insensitive=True) for role in roles]
    return frame.filter(polars.any_horizontal(found)).select("row", *roles)


def with_numbers(frame: polars.DataFrame, roles: list[str]) -> polars.DataFrame:
    """The rows with enough digits for a card or an account."""
    four = polars.any_horizontal([any_of(roles, pattern) for pattern in FOUR_DIGITS])
    return frame.filter(four).filter(any_of(roles, NUMBERS)).select("row", *roles)


def any_of(roles: list[str], pattern: str) -> polars.Expr:
    return polars.any_horizontal([polars.col(role).str.contains(pattern) for role in roles])


def _hits(kind: Kind, frame: polars.DataFrame, roles: list[str]) -> polars.Series:
    found = frame.filter(any_of(roles, kind.pattern))
    if kind.proves is None or not found.height:
        return found["row"]
    pattern, proves = re.compile(kind.pattern), kind.proves
    groups = pattern.groups  # 0: the entire match
    sure = [
        any(proves(match.group(groups)) for text in texts for match in pattern.finditer(text))
        for texts in found.select(roles).iter_rows()
    ]
    return found["row"].filter(polars.Series(sure))


def _told(code: str, counts: list[tuple[Kind, int]], hits: polars.Series) -> Finding:
    """One sentence: "3 rows hold what looks like an API key, 1 what looks like a password."."""
    (kind, count), *others = counts
    first = _n(
        "{count:,} row holds what looks like {kind}",
        "{count:,} rows hold what looks like {kind}",
        count=count,
        kind=kind.name,
    )
    more = [_("{count:,} what looks like {kind}", count=number, kind=other.name) for other, number in others]
    hint = _("An adapter can repeat what it was trained on: remove or replace it.")
    if code == "secrets":
        hint = _("An adapter can repeat what it was trained on: remove or replace it, and revoke the key.")
    return finding(code, "warning", _("{findings}.", findings=several([first, *more])), hint=hint, rows=hits)


def mask_secrets(text: str) -> str:
    """The text with every key, token, password, card or account number and e-mail address replaced by its kind in
    brackets."""
    for kind in KINDS:
        if kind.signs and not any(sign.lower() in text.lower() for sign in kind.signs):
            continue
        text = re.sub(kind.pattern, lambda match, kind=kind: _masked(kind, match), text)
    return text


def _masked(kind: Kind, match: re.Match) -> str:
    whole, group = match.group(), match.re.groups
    if kind.proves and not kind.proves(match.group(group)):
        return whole
    return whole[: match.start(group) - match.start()] + kind.mask


def mask_series(series: polars.Series) -> polars.Series:
    """`mask_secrets` for a column of texts, applied only to texts that may contain something. Null stays null."""
    name = series.name or "text"
    frame = polars.DataFrame(
        [polars.int_range(series.len(), dtype=polars.UInt32, eager=True).alias("row"), series.alias(name)]
    )
    signs = sorted({sign for kind in KINDS for sign in kind.signs if len(sign) > 1})
    candidates = polars.concat(
        [
            with_signs(frame, [name], signs)["row"],
            with_signs(frame, [name], ["@"])["row"],
            with_numbers(frame, [name])["row"],
        ]
    )
    candidates = candidates.unique().sort()
    if not candidates.len():
        return series
    masked = [mask_secrets(text) for text in series.gather(candidates).to_list()]
    return series.clone().scatter(candidates, masked)


CHECKS = (Check(120, "texts", lambda rows: check_secrets(rows.frame, rows.texts)),)
