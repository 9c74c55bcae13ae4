"""Pre-flight of conversations: turns that are not understood, no assistant's turn to learn, nobody asks, texts that repeat."""

from dataclasses import dataclass

import polars

from lora_hub.core.errors import DataError
from lora_hub.data.check_answers import HALF_HINT, HALF_HINT_FA, has_half_thoughts
from lora_hub.data.check_words import counted, number_fa, some
from lora_hub.data.convert import Chat, read_chat
from lora_hub.data.findings import Finding, finding

MOST = 100_000  # conversations looked at turn by turn


@dataclass(frozen=True)
class Kind:
    """What can be wrong with a conversation. `one`, `many`: how the sentence goes on after "1 conversation" and "3
    conversations"."""

    severity: str
    one: str
    many: str
    fa: str
    hint: str = ""
    hint_fa: str = ""


KINDS = {
    "unreadable-chats": Kind(
        "error", "is not understood", "are not understood", "گفت‌وگو فهمیده نمی‌شود", "Mend or remove these rows.",
        "این سطرها را درست کنید یا کنار بگذارید.",
    ),
    "empty-chats": Kind(
        "warning", "is empty and will be left out", "are empty and will be left out", "گفت‌وگو خالی است و کنار گذاشته می‌شود",
        "See where the turns went.", "ببینید نوبت‌ها کجا رفته‌اند.",
    ),
    "system-only": Kind(
        "warning", "has a system text only and will be left out", "have a system text only and will be left out",
        "گفت‌وگو جز متن سیستم چیزی ندارد و کنار گذاشته می‌شود", "Each needs a user's turn and an assistant's.",
        "هر گفت‌وگو یک نوبتِ کاربر و یک نوبتِ دستیار می‌خواهد.",
    ),
    "chats-without-answer": Kind(
        "warning", "has no answer of the assistant to learn and will be left out",
        "have no answer of the assistant to learn and will be left out",
        "گفت‌وگو پاسخی از دستیار برای آموختن ندارد و کنار گذاشته می‌شود", "Each needs an assistant's turn with a text.",
        "هر گفت‌وگو یک نوبتِ دستیار با متن می‌خواهد.",
    ),
    "assistant-first": Kind(
        "warning", "begins with the assistant, or nobody asks", "begin with the assistant, or nobody asks",
        "گفت‌وگو با دستیار آغاز می‌شود یا کسی چیزی نمی‌پرسد", "What stands before the first question is not trained.",
        "آنچه پیش از نخستین پرسش آمده آموخته نمی‌شود.",
    ),
    "empty-turns": Kind(
        "warning", "has a turn without a text", "have a turn without a text", "گفت‌وگو نوبتی بی‌متن دارد",
        "An assistant's empty turn is not trained; an empty question teaches to answer nothing.",
        "نوبتِ خالیِ دستیار آموخته نمی‌شود؛ پرسشِ خالی یاد می‌دهد که به هیچ پاسخ داده شود.",
    ),
    "repeating-text": Kind(
        "warning", "holds a text that repeats itself over and over", "hold a text that repeats itself over and over",
        "گفت‌وگو متنی دارد که پی‌درپی تکرار می‌شود", "See whether that is meant.", "ببینید آیا عمدی است.",
    ),
    "roles-not-alternating": Kind(
        "info", "has two user turns in a row", "have two user turns in a row", "گفت‌وگو دو نوبتِ پیاپیِ کاربر دارد",
        "Some chat templates refuse that; join the turns.", "برخی قالب‌های گفت‌وگو آن را نمی‌پذیرند؛ نوبت‌ها را به هم بپیوندید.",
    ),
    "tool-turns": Kind(
        "info", "has tool calls or their results", "have tool calls or their results", "گفت‌وگو فراخوانی ابزار یا نتیجهٔ آن را دارد",
        "The calls are learnt as the base's chat template writes them, else as JSON text; the results are read, not learnt.",
        "مدل فراخوانی‌ها را همان‌طور که قالب گفت‌وگوی مدل پایه می‌نویسد یاد می‌گیرد، وگرنه به شکل متن JSON؛ نتیجه‌ها فقط خوانده می‌شود.",
    ),
    "context-only": Kind(
        "info", "has answers marked as context only (weight 0, train false), which are read and not learnt",
        "have answers marked as context only (weight 0, train false), which are read and not learnt",
        "گفت‌وگو پاسخ‌هایی دارد که فقط زمینه‌اند (weight صفر یا train نادرست)؛ خوانده می‌شود و یاد گرفته نمی‌شود",
    ),
    "masked-answers": Kind(
        "info", "has answers marked with a mask (mask 1), which are taken as hidden: read and not learnt",
        "have answers marked with a mask (mask 1), which are taken as hidden: read and not learnt",
        "گفت‌وگو پاسخ‌هایی با نشان mask دارد که پنهان به شمار می‌آید: خوانده می‌شود و یاد گرفته نمی‌شود",
        "Where 1 marks what is to be learnt, name the key loss_mask.", "اگر 1 نشان آن است که پاسخ باید یاد گرفته شود، نام کلید را «loss_mask» بگذارید.",
    ),
    "partly-marked": Kind(
        "warning", "has an answer of which only parts are to be learnt; it is read and not learnt, since answers are learnt whole",
        "have answers of which only parts are to be learnt; they are read and not learnt, since answers are learnt whole",
        "گفت‌وگو پاسخی دارد که فقط بخش‌هایی از آن باید یاد گرفته شود؛ چون پاسخ‌ها کامل یاد گرفته می‌شود، فقط خوانده می‌شود",
        "Put the parts that are to be learnt into a turn of their own.", "بخش‌هایی را که باید یاد گرفته شود در نوبتی جدا بگذارید.",
    ),
    "broken-calls": Kind(
        "warning", "has a tool call whose arguments are no valid JSON (cut off, perhaps). It is learnt as it stands",
        "have tool calls whose arguments are no valid JSON (cut off, perhaps). They are learnt as they stand",
        "گفت‌وگو فراخوانی ابزاری دارد که آرگومان‌هایش JSON درستی نیست (شاید بریده شده است). همان‌طور که هست یاد گرفته می‌شود",
        "Mend these rows or leave them out, or the adapter learns to write such calls.",
        "این سطرها را درست کنید یا کنار بگذارید، وگرنه آداپتور نوشتن چنین فراخوانی‌هایی را یاد می‌گیرد.",
    ),
    "unlearnt-reasoning": Kind(
        "warning", "has reasoning that is not learnt", "have reasoning that is not learnt", "گفت‌وگو متن استدلال دارد که یاد گرفته نمی‌شود",
        "Answers are trained and asked without thoughts before them. To have the thoughts learnt, write them into the content.",
        "پاسخ‌ها بدون استدلالِ پیش از خود آموزش داده و پرسیده می‌شود. اگر استدلال هم باید یاد گرفته شود، آن را در متن پاسخ بنویسید.",
    ),
    "half-thoughts": Kind(
        "warning", "has an answer that opens a block for thoughts (<think>) and does not close it, or closes one that it does not open. It is learnt as it stands",
        "have answers that open a block for thoughts (<think>) and do not close it, or close one that they do not open. They are learnt as they stand",
        "گفت‌وگو پاسخی دارد که بخش استدلال («<think>») را باز می‌کند و نمی‌بندد، یا بدون باز کردن می‌بندد. پاسخ همان‌طور که هست یاد گرفته می‌شود",
        HALF_HINT, HALF_HINT_FA,
    ),
    "null-arguments": Kind(
        "info", "has tool calls with arguments that are null, which are left out", "have tool calls with arguments that are null, which are left out",
        "گفت‌وگو فراخوانی ابزار با آرگومان‌های null دارد که کنار گذاشته می‌شود",
        "Table formats such as Parquet fill in the arguments of other calls as nulls.",
        "فرمت‌های جدولی مانند Parquet آرگومان‌های فراخوانی‌های دیگر را با null پر می‌کنند.",
    ),
    "unused-fields": Kind(
        "info", "has fields that are not used", "have fields that are not used", "گفت‌وگو فیلدهایی دارد که به کار نمی‌رود",
    ),
}  # fmt: skip


def check_chats(series: polars.Series, numbers: polars.Series) -> list[Finding]:
    """`series`: the column of conversations; `numbers`: their row numbers."""
    found: dict[str, list[int]] = {code: [] for code in KINDS}
    reason: DataError | None = None
    first = 0
    unused: dict[str, None] = {}
    for at in range(0, min(MOST, series.len()), 5_000):  # Python objects of a part at a time
        part = series.slice(at, min(5_000, MOST - at))
        for row, value in zip(numbers.slice(at, part.len()).to_list(), part.to_list(), strict=True):
            try:
                chat = read_chat(value) if value not in (None, "") else Chat([])
            except DataError as error:
                found["unreadable-chats"].append(row)
                if reason is None:
                    reason, first = error, row
                continue
            for code in _wrong_with(chat):
                found[code].append(row)
            names = _unused(chat)
            if names:
                found["unused-fields"].append(row)
                unused |= dict.fromkeys(names)
    findings = []
    for code, kind in KINDS.items():
        count = len(found[code])
        if count:
            detail = f" (row {first}: {reason.message.rstrip('.')})" if code == "unreadable-chats" and reason else ""
            detail_fa = f" (سطر {number_fa(first)}: {reason.in_language('fa')[0].rstrip('.')})" if detail and reason else ""
            if code == "unused-fields":
                names = some(list(unused), 12)
                detail, detail_fa = f": {names.en}", f": {names.fa}"
            findings.append(
                finding(
                    code, kind.severity, f"{counted(count, 'conversation')} {kind.one if count == 1 else kind.many}{detail}.",
                    f"{number_fa(count)} {kind.fa}{detail_fa}.", hint=kind.hint, hint_fa=kind.hint_fa, rows=found[code],
                )
            )  # fmt: skip
    if series.len() > MOST:
        findings.append(
            finding(
                "sampled", "info", f"Turns were checked in the first {MOST:,} of {series.len():,} rows.",
                f"نوبت‌ها در {number_fa(MOST)} سطرِ نخست از {number_fa(series.len())} سطر بررسی شد.",
            )
        )  # fmt: skip
    return findings


def _wrong_with(chat: Chat) -> list[str]:
    """Codes of what is to be told of one conversation."""
    if not chat.turns:
        return ["empty-chats"]
    codes = []
    messages = chat.messages
    roles = [message["role"] for message in messages]
    if set(roles) == {"system"}:
        return ["system-only"]
    spoken = [turn for turn in chat.turns if turn.message["role"] == "assistant" and turn.says]
    if any(not turn.learnt for turn in spoken):
        codes.append("context-only")
    codes += ["masked-answers"] * any(turn.is_masked for turn in spoken) + ["partly-marked"] * any(turn.is_partly for turn in spoken)
    codes += ["broken-calls"] * any(turn.is_cut for turn in chat.turns)
    if not any(turn.is_learnt for turn in chat.turns):
        codes.append("chats-without-answer")
    elif "user" not in roles or roles.index("assistant") < roles.index("user"):
        codes.append("assistant-first")
    if any(turn.message["role"] in ("user", "assistant") and not turn.says and not turn.reasoning for turn in chat.turns):
        codes.append("empty-turns")
    heard = [role for role in roles if role in ("user", "assistant", "tool")]
    if any(one == two == "user" for one, two in zip(heard, heard[1:], strict=False)):
        codes.append("roles-not-alternating")
    if "tool" in roles or any(message.get("tool_calls") for message in messages):
        codes.append("tool-turns")
    if any(turn.reasoning.strip() for turn in chat.turns):
        codes.append("unlearnt-reasoning")
    if any(turn.is_learnt and has_half_thoughts(turn.message["content"]) for turn in chat.turns):
        codes.append("half-thoughts")
    if any(turn.nulls for turn in chat.turns):
        codes.append("null-arguments")
    if any(_repeats(message["content"]) for message in messages):
        codes.append("repeating-text")
    return codes


def _unused(chat: Chat) -> list[str]:
    """Names of the fields of a conversation and of its turns that nothing is done with."""
    return list(dict.fromkeys([*chat.unused, *(name for turn in chat.turns for name in turn.unused)]))


def _repeats(text: str) -> bool:
    """A long text most of which is one short piece again and again."""
    if len(text) < 2_000:
        return False
    words = text.split()
    return len(words) > 200 and len(set(words)) < 0.05 * len(words)
