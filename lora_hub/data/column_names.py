"""The names that columns go by, in English and Persian, for each role. The order is the order of preference."""

import re

# One text that goes in.
TEXT = (
    "text texts sentence review comment message sms tweet post content body utterance document article passage dialogue "
    "dialog conversation query question request description statement paragraph input source prompt title v2 sentence1 sent1 "
    "premise متن جمله نظر دیدگاه پیام پیامک کامنت نقد توییت محتوا مطلب سند گفتگو گفت‌وگو پرسش سوال سؤال شرح توضیحات عنوان ورودی"
).split()
LABEL = (
    "label labels class category intent topic sentiment emotion target tag y polarity stars rating score spam is_spam "
    "answer output type v1 label_text gold annotation "
    "برچسب دسته دسته‌بندی کلاس موضوع قصد احساس حس قطبیت هدف امتیاز پاسخ خروجی نوع"
).split()
ANSWER = "answer response output completion target reply label answers جواب پاسخ خروجی هدف برچسب".split()

SYNONYMS: dict[str, list[str]] = {
    "text": TEXT,
    "source": "source src text input original sentence متن مبدأ مبدا اصلی ورودی".split(),
    "question": "question query prompt ask problem nl utterance instruction text input پرسش سوال سؤال".split(),
    "context": "context passage paragraph document article text story background evidence متن زمینه بافت پاراگراف سند".split(),
    "instruction": "instruction prompt question query task request user human دستور دستورالعمل درخواست پرسش سوال سؤال".split(),
    "input": "input context inputs ورودی زمینه".split(),
    "schema": "schema table_schema ddl create_table create_statement context tables db_schema ساختار طرحواره".split(),
    "messages": "messages conversations conversation dialog chat turns گفتگو گفت‌وگو پیام‌ها".split(),
}
ANSWERS: dict[str, list[str]] = {
    "labels": LABEL,
    "translation": "target tgt translation translated output answer ترجمه مقصد خروجی".split(),
    "summarization": "summary highlights abstract tldr headline summaries output target answer title خلاصه چکیده تیتر".split(),
    "grammar": "corrected correction target fixed output edited edit answer اصلاح اصلاح‌شده درست ویرایش خروجی".split(),
    "text-to-sql": "sql query answer sql_query target output".split(),
    "question-answering": "answer answers answer_text response output target جواب پاسخ".split(),
    "instruction": "output response completion answer assistant reply target خروجی پاسخ جواب".split(),
    "chat": ANSWER,
}
GRAMMAR_TEXT = ["incorrect", "wrong", "original", "input", "source", "text", "sentence", "متن", "نادرست", "ورودی"]
SUMMARY_TEXT = ["document", "article", "dialogue", "dialog", "text", "content", "body", "story", "متن", "مقاله", "خبر", "گفتگو"]
# Columns that tell a row's place or origin and are never what is learnt.
BOOKKEEPING = set(
    "id idx index uid guid row row_id rowid number no split source_id fname file filename filepath url link date time timestamp "
    "created_at changetime uuid key excel_id example_id review_id table_id lang language attribution license licence "
    "شناسه ردیف شماره تاریخ".split()
)
LANGUAGES = {
    "en": "english eng en_text انگلیسی", "fa": "persian farsi pes per fas fa_ir فارسی", "de": "german deu deutsch", "fr": "french fra",
    "ar": "arabic ara عربی", "es": "spanish spa", "tr": "turkish tur", "ru": "russian rus", "zh": "chinese", "it": "italian",
    "ja": "japanese", "ko": "korean", "pt": "portuguese", "nl": "dutch", "hi": "hindi", "ur": "urdu", "ku": "kurdish",
}  # fmt: skip


def plain(name: str) -> str:
    """A column's name for comparing: lower case, no marks, Arabic yeh and kaf as Persian ones."""
    name = name.strip("\ufeff\u200e\u200f \t").lower().replace("ي", "ی").replace("ك", "ک").replace("ـ", "")
    return re.sub(r"[\s\-./]+", "_", name)


def squeezed(name: str) -> str:
    return re.sub(r"[_\u200c]", "", plain(name))


def language_of(name: str) -> str:
    """The language a column is named after ("en", "English", "source_en"), or ""."""
    words = [word for word in plain(name).split("_") if word]
    for code, others in LANGUAGES.items():
        if plain(name) in (code, *others.split()) or (len(words) > 1 and (words[-1] == code or words[0] == code)):
            return code
    return ""
