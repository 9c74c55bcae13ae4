"""Pre-flight of the texts themselves: placeholders left in, what looks like secrets or personal data, damaged letters, and
the characters that Persian text comes with (counted, never changed)."""

import re

import polars

from lora_hub.data.table import SHOWN_ROWS
from lora_hub.schema import Problem

# kind -> a pattern for polars' linear-time engine. Longer checks (Luhn) follow on the few rows that match.
SECRETS = {
    "API key": r"\b(?:sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{20}"
    r"|(?:sk|rk)_live_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,})",
    "access token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})",
    "cloud key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
    "password": r"(?i)\b(?:password|passwd|pwd|api[_-]?key|secret)\s*[:=]\s*[\"']?[^\s\"',;]{6,}",
}
# What each of the patterns holds: a row without any of these needs no pattern (Aho-Corasick, one pass).
SECRET_SIGNS = ["sk-", "AIza", "xox", "glpat-", "k_live_", "SG.", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "npm_",
                "eyJ", "AKIA", "ASIA", "PRIVATE KEY"]  # fmt: skip
PASSWORD_SIGNS = ["password", "passwd", "pwd", "api_key", "apikey", "api-key", "secret"]
PLACEHOLDER_SIGNS = ["{", "<", "[", "%", "lorem ipsum"]
EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
CARD = r"\b\d(?:[ -]?\d){12,18}\b"
PLACEHOLDER = (
    r"\{\{\s*[\w .*+/-]+\s*\}\}|\{[A-Za-z_]\w*\}|\$\{\w+\}|<(?:[A-Z][A-Z_]{2,}|your [\w ]+|insert [\w ]+)>"
    r"|\[(?:[A-Z][A-Z_ ]{3,}|INSERT [^\]]+|[Yy]our [\w ]+)\]"
    r"|%\([A-Za-z_]\w*\)s|(?:^|\s)%[sd](?:\s|$)|(?i:lorem ipsum)"
)
MOJIBAKE = r"Ã[\u0080-\u00bf¡-¿ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]|â€[™œ\u009d“”˜¦]|[ØÙÚ][\u00a0-\u00bf§±³´µ¶¨©ª«¬­®¯]{1}[ØÙÚÛ]|ï¿½|\x{fffd}"


def check_placeholders(frame: polars.DataFrame, roles: list[str]) -> list[Problem]:
    count, rows = _rows(_with_signs(frame, roles, PLACEHOLDER_SIGNS), _any(roles, PLACEHOLDER))
    if not count:
        return []
    return [
        Problem(
            code="placeholders", severity="warning", count=count, rows=rows,
            message=f"{count:,} row{'' if count == 1 else 's'} with a template's placeholder left in the text, such as {{name}} or %s.",
            hint="Fill them in, or the adapter learns to write them.",
        )
    ]  # fmt: skip


def check_secrets(frame: polars.DataFrame, roles: list[str]) -> list[Problem]:
    """What looks like a key, token, card number or e-mail address: kind, count and rows, never the text."""
    problems = []
    signed, named = _with_signs(frame, roles, SECRET_SIGNS), _with_signs(frame, roles, PASSWORD_SIGNS)
    for kind, pattern in SECRETS.items():
        count, rows = _rows(named if kind == "password" else signed, _any(roles, pattern))
        if count:
            problems.append(_secret(kind, count, rows))
    cards = frame.filter(_any(roles, CARD))
    numbers = [row["row"] for row in cards.select("row", *roles).iter_rows(named=True)
               if any(_is_card(found) for role in roles for found in re.findall(CARD, row[role]))]  # fmt: skip
    if numbers:
        problems.append(_secret("card number", len(numbers), tuple(numbers[:SHOWN_ROWS])))
    count, rows = _rows(_with_signs(frame, roles, ["@"]), _any(roles, EMAIL))
    if count:
        problems.append(_secret("e-mail address", count, rows))
    return problems


def _secret(kind: str, count: int, rows: tuple[int, ...]) -> Problem:
    article = "an" if kind[0] in "aeAI" else "a"
    personal = kind in ("e-mail address", "card number")
    return Problem(
        code="personal-data" if personal else "secrets", severity="warning", count=count, rows=rows,
        message=f"{count:,} row{' holds' if count == 1 else 's hold'} what looks like {article} {kind}.",
        hint="An adapter can repeat what it was trained on: remove or replace it" + ("." if personal else ", and revoke the key."),
    )  # fmt: skip


def check_characters(frame: polars.DataFrame, roles: list[str]) -> list[Problem]:
    """Damaged letters; and, counted only, the characters in which Persian texts differ from one another."""
    problems = []
    frame = frame.filter(polars.any_horizontal([polars.col(r).str.len_bytes() != polars.col(r).str.len_chars() for r in roles]))
    if not frame.height:
        return []
    count, rows = _rows(frame, _any(roles, MOJIBAKE))
    if count:
        problems.append(
            Problem(
                code="damaged-letters", severity="warning", count=count, rows=rows,
                message=f"{count:,} row{' has' if count == 1 else 's have'} letters that were damaged by a wrong encoding (such as Ã©).",
                hint="Choose another encoding, or export the file as UTF-8.",
            )
        )  # fmt: skip
    special = "[\u064a\u0643\u0649\u200c\u200e\u200f\u202a-\u202e\u2066-\u2069\u0640\u06f0-\u06f9\u0660-\u0669]"
    marked = frame.filter(_any(roles, special)).select(roles)
    if not marked.height:
        return problems
    kinds = {
        "Arabic yeh or kaf": "[\u064a\u0643\u0649]", "zero-width non-joiner": "\u200c",
        "directional marks": "[\u200e\u200f\u202a-\u202e\u2066-\u2069]",
        "tatweel": "\u0640", "Persian or Arabic digits": "[\u06f0-\u06f9\u0660-\u0669]",
    }  # fmt: skip
    persian = "[\u06cc\u06a9\u067e\u0686\u0698\u06af]"
    if not marked.select(_any(roles, persian).any()).item():
        kinds.pop("Arabic yeh or kaf")  # Arabic text, where they are the usual letters
    told = {name: marked.filter(_any(roles, pattern)).height for name, pattern in kinds.items()}
    told = {name: count for name, count in told.items() if count}
    if told:
        shown = ", ".join(f"{name} in {count:,} rows" for name, count in told.items())
        problems.append(
            Problem(code="persian-characters", severity="info", count=sum(told.values()), message=f"Left as they are: {shown}.")
        )
    return problems


def _with_signs(frame: polars.DataFrame, roles: list[str], signs: list[str]) -> polars.DataFrame:
    """The rows in which any of `signs` occurs, in whichever case."""
    if len(signs) == 1:
        found = [polars.col(role).str.contains(signs[0], literal=True) for role in roles]
    else:
        found = [polars.col(role).str.contains_any(signs, ascii_case_insensitive=True) for role in roles]
    return frame.filter(polars.any_horizontal(found)).select("row", *roles)


def _any(roles: list[str], pattern: str) -> polars.Expr:
    return polars.any_horizontal([polars.col(role).str.contains(pattern) for role in roles])


def _rows(frame: polars.DataFrame, where: polars.Expr) -> tuple[int, tuple[int, ...]]:
    hits = frame.filter(where)["row"]
    return hits.len(), tuple(hits.head(SHOWN_ROWS).to_list())


def _is_card(text: str) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1) over 13 to 19 digits that begin as a card's do."""
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    total = sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits)))
    return total % 10 == 0
