"""The usual names of columns for each role, in English, Persian, German, French and Spanish, in order of preference."""

import functools
import re

# A single input text.
TEXT = (
    "text texts sentence review review_text review_body comment message message_text sms tweet email email_text post "
    "content body "
    "utterance document article passage dialogue dialog conversation query question request ticket complaint feedback "
    "description "
    "statement paragraph news input input_text source prompt subject title headline v2 sentence1 sent1 sentence_a "
    "text_a text1 premise "
    "متن جمله نظر دیدگاه پیام پیامک کامنت نقد توییت محتوا مطلب سند گفتگو گفت‌وگو پرسش سوال سؤال شرح توضیحات خبر عنوان "
    "ورودی "
    "satz bewertung rezension nachricht kommentar beitrag inhalt texte phrase avis commentaire contenu texto frase "
    "reseña mensaje comentario"
).split()
LABEL = (
    "label labels class category intent topic sentiment emotion target tag y polarity stars star_rating rating score "
    "overall rate spam "
    "is_spam department team answer output type v1 label_text gold gold_label annotation subject section status "
    "priority language "
    "برچسب دسته دسته‌بندی کلاس موضوع قصد احساس حس قطبیت هدف امتیاز وضعیت پاسخ خروجی نوع واحد بخش "
    "klasse kategorie etikett bezeichnung thema sterne stimmung étiquette catégorie classe categorie note étoiles "
    "etiqueta categoría "
    "categoria clase estrellas sentimiento tema"
).split()
ANSWER = (
    "answer response output completion target reply label answers solution result assistant bot gpt target_text "
    "output_text "
    "جواب پاسخ خروجی هدف برچسب antwort réponse reponse respuesta"
).split()

SYNONYMS: dict[str, list[str]] = {
    "text": TEXT,
    "source": (
        "source src source_text src_text text input input_text original sentence متن مبدأ مبدا اصلی ورودی جمله"
    ).split(),
    "question": (
        "question query prompt ask problem nl nl_question utterance instruction text input پرسش سوال سؤال "
        "frage pregunta"
    ).split(),
    "context": (
        "context passage paragraph document article text story background evidence contexts متن زمینه بافت پاراگراف سند"
    ).split(),
    "instruction": (
        "instruction prompt question query task request problem user human input input_text message text دستور "
        "دستورالعمل درخواست "
        "پرسش سوال سؤال ورودی frage anweisung pregunta instrucción question instruction_text"
    ).split(),
    "input": "input context inputs ورودی زمینه".split(),
    "schema": "schema table_schema ddl create_table create_statement context tables db_schema ساختار طرحواره".split(),
    "system": "system system_prompt system_message system_text persona سیستم".split(),
    "messages": "messages conversations conversation dialog dialogue chat turns گفتگو گفت‌وگو پیام‌ها".split(),
}
ANSWERS: dict[str, list[str]] = {
    "labels": LABEL,
    "translation": (
        "target tgt translation translated target_text tgt_text output answer ترجمه مقصد خروجی übersetzung traduction "
        "traducción"
    ).split(),
    "summarization": (
        "summary highlights abstract tldr summary_text headline summaries output target target_text answer title "
        "خلاصه چکیده تیتر "
        "zusammenfassung résumé resumen"
    ).split(),
    "grammar": (
        "corrected correction corrected_text target fixed right correct output edited edit answer اصلاح اصلاح‌شده "
        "درست ویرایش خروجی"
    ).split(),
    "text-to-sql": "sql sql_query query answer target output response completion".split(),
    "question-answering": (
        "answer answers answer_text response output target جواب پاسخ antwort réponse respuesta"
    ).split(),
    "instruction": (
        "output response completion answer answers assistant reply solution result target target_text output_text bot "
        "gpt خروجی پاسخ جواب antwort "
        "réponse reponse respuesta"
    ).split(),
    "chat": ANSWER,
}
GRAMMAR_TEXT = [
    "incorrect",
    "wrong",
    "ungrammatical",
    "original",
    "input",
    "source",
    "text",
    "sentence",
    "متن",
    "نادرست",
    "غلط",
    "ورودی",
]
SUMMARY_TEXT = [
    "document",
    "article",
    "dialogue",
    "dialog",
    "text",
    "content",
    "body",
    "story",
    "doc",
    "متن",
    "مقاله",
    "خبر",
    "گفتگو",
]
# Names of the system prompt, which is never the answer.
SYSTEM_NAMES = {"system", "system_prompt", "system_message", "system_text", "سیستم"}
# Columns that give a row's position or origin; they are never learnt.
BOOKKEEPING = set(
    "id idx index uid guid row row_id rowid number no split source_id fname file filename filepath url link date time "
    "timestamp datetime "
    "created_at updated_at changetime uuid key excel_id example_id review_id table_id db_id lang language attribution "
    "license licence "
    "author authors user_id userid username productid product_id asin reviewer reviewerid reviewername unixreviewtime "
    "reviewtime created updated "
    "source_lang target_lang src_lang tgt_lang helpful votes upvotes likes شناسه ردیف شماره تاریخ لینک نشانی زمان "
    "کاربر نویسنده datum fecha".split()
)
LANGUAGES = {
    "en": "english eng en_text englisch anglais inglés ingles انگلیسی",
    "fa": "persian farsi pes per fas fa_ir persisch فارسی",
    "de": "german deu deutsch allemand آلمانی",
    "fr": "french fra français francais französisch فرانسوی فرانسه",
    "ar": "arabic ara arabisch عربی",
    "es": "spanish spa español espanol اسپانیایی",
    "tr": "turkish tur türkçe ترکی",
    "ru": "russian rus روسی",
    "zh": "chinese چینی",
    "it": "italian italiano ایتالیایی",
    "ja": "japanese",
    "ko": "korean",
    "pt": "portuguese português",
    "nl": "dutch nederlands",
    "hi": "hindi",
    "ur": "urdu اردو",
    "ku": "kurdish کردی",
    "az": "azerbaijani",
}


def plain(name: str) -> str:
    """A column's name normalized for comparison: lower case, no diacritics or direction marks, Arabic yeh and kaf as
    the Persian letters."""
    name = name.strip("\ufeff\u200e\u200f \t").lower().replace("ي", "ی").replace("ك", "ک").replace("ـ", "")
    return re.sub(r"[\s\-./]+", "_", name)


@functools.lru_cache(maxsize=8192)  # every column is compared with the usual names
def squeezed(name: str) -> str:
    return re.sub(r"[_\u200c]", "", plain(name))


def language_of(name: str) -> str:
    """The language a column is named after ("en", "English", "source_en"), or ""."""
    words = [word for word in plain(name).split("_") if word]
    for code, others in LANGUAGES.items():
        if plain(name) in (code, *others.split()) or (len(words) > 1 and (words[-1] == code or words[0] == code)):
            return code
    return ""


def words_of(name: str) -> set[str]:
    """The words of a column's name: the same for review_text, reviewText and "Review text"."""
    return {word for word in plain(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).split("_") if word}


def name_score(column: str, names: list[str]) -> float:
    """2 for the first name of the list down to 1 for the last; less if a name is only part of the column's name; else
    0."""
    squeezed_names = [squeezed(name) for name in names]
    whole = squeezed(column)
    if whole in squeezed_names:
        return 2 - squeezed_names.index(whole) / len(names)
    bare = whole.rstrip("0123456789۰۱۲۳۴۵۶۷۸۹")
    if bare and bare in squeezed_names:
        return 0.9 - 0.1 * squeezed_names.index(bare) / len(names)
    parts = [squeezed_names.index(word) for word in words_of(column) if word in squeezed_names and len(word) > 2]
    return 0.6 - 0.2 * min(parts) / len(names) if parts else 0.0
