"""The Persian of words that the readers' errors put into a sentence: kinds of files, a JSON parser's reasons, common hints.

    KINDS_FA["a PDF document"]             "سند PDF"
    json_reason_fa("expecting value")      "این‌جا مقداری باید باشد"
"""

CHOOSE_FILE_FA = "پرونده‌ای برگزینید که داده‌ای در آن باشد."
SAVE_WORKBOOK_FA = "آن را باز کنید، دوباره با قالب xlsx ذخیره کنید و از نو بدهید."
SKIP_BROKEN_FA = "«آنچه خوانده نمی‌شود کنار برود» را برگزینید"  # as the page's data room has it
SMALLER_FILE_FA = "پروندهٔ کوچک‌تری بدهید یا LORA_HUB_MAX_UPLOAD_MB را بالا ببرید."
AS_TABLE_FA = "داده را در قالب CSV، JSONL یا اکسل ذخیره کنید، هر نمونه در یک سطر."
ANSWERS_FA = "برای آموزش هم ورودی لازم است و هم خروجیِ درست؛ ستونی با پاسخ‌ها یا برچسب‌ها بیفزایید."

# What a file is that is no table, as `refusals`, `text_forms` and `spreadsheets` name it.
KINDS_FA = {
    "a PDF document": "سند PDF", "an image": "تصویر", "an audio file": "پروندهٔ صوتی", "a database": "پایگاه داده",
    "a 7z archive": "بایگانیِ 7z", "a RAR archive": "بایگانیِ RAR", "a program": "برنامه",
    "a Python pickle, which could run code": "pickle پایتون (که می‌تواند کد اجرا کند)", "a rich text document": "سند RTF",
    "an HDF5 file": "پروندهٔ HDF5", "a numpy array": "آرایهٔ numpy", "an Avro file": "پروندهٔ Avro",
    "a Feather file of version 1": "پروندهٔ Feather نسخهٔ 1", "a Stata file": "پروندهٔ Stata", "an SPSS file": "پروندهٔ SPSS",
    "an R data file": "پروندهٔ دادهٔ R", "a model's weights": "وزن‌های یک مدل", "an Excel file from before 1997": "پروندهٔ اکسلِ پیش از سال 1997",
    "a video": "ویدئو", "a property list": "فهرست ویژگی‌ها (plist)", "a compress (.Z) archive": "بایگانیِ compress (.Z)",
    "a program library": "کتابخانهٔ برنامه", "a font": "قلم (فونت)", "a media file": "پروندهٔ صوتی یا تصویری", "an ORC file": "پروندهٔ ORC",
    "a NetCDF file": "پروندهٔ NetCDF", "a Matlab file": "پروندهٔ Matlab", "a PostScript document": "سند PostScript",
    "a Word document": "سند Word", "a presentation": "پروندهٔ ارائه", "a text document": "سند متنی", "an e-book": "کتاب الکترونیکی",
    "a PyTorch file, which could run code": "پروندهٔ PyTorch (که می‌تواند کد اجرا کند)", "an archive of numpy arrays": "بایگانیِ آرایه‌های numpy",
    "an e-mail of Outlook": "نامهٔ Outlook", "a drawing": "پروندهٔ ترسیم",
    "a Git LFS pointer, not the data itself": "اشاره‌گر Git LFS، نه خودِ داده", "a subtitle file (SRT)": "زیرنویس (SRT)",
    "a subtitle file (WebVTT)": "زیرنویس (WebVTT)", "a chat exported from a messenger": "گفت‌وگوی بیرون‌داده از پیام‌رسان",
    "a gettext translation file (PO)": "پروندهٔ ترجمهٔ gettext (PO)", "a bundle of settings (INI or TOML)": "پروندهٔ تنظیمات (INI یا TOML)",
    "an SQL dump": "رونوشت SQL", "a LaTeX document": "سند LaTeX", "an e-mail or a web archive (MIME)": "نامه یا بایگانیِ وب (MIME)",
    "a sparse matrix (libsvm), which holds numbers and no text": "ماتریس تُنُک (libsvm)، که عدد دارد و متن ندارد",
    "annotated words (CoNLL), a label for each word": "واژه‌های برچسب‌خورده (CoNLL)، با برچسبی برای هر واژه", "a YAML document": "سند YAML",
    "a JavaScript program": "برنامهٔ JavaScript",
}  # fmt: skip

_JSON_FA = {
    "expecting value": "این‌جا مقداری باید باشد",
    "expecting property name enclosed in double quotes": "این‌جا نامی میان دو گیومه (\") باید باشد",
    "expecting ':' delimiter": "این‌جا «:» باید باشد",
    "expecting ',' delimiter": "این‌جا «,» باید باشد",
    "unterminated string starting at": "متنی که این‌جا آغاز می‌شود پایان ندارد",
    "invalid control character": "نویسهٔ کنترلی در متن آمده است",
    "invalid \\escape": "پس از \\ نویسه‌ای نادرست آمده است",
    "invalid \\uxxxx escape": "پس از \\u چهار رقم شانزده‌شانزدهی نیامده است",
    "extra data": "پس از پایان مقدار چیز دیگری هم آمده است",
    "illegal trailing comma before end of object": "پیش از پایان شیء «,» زیادی آمده است",
    "illegal trailing comma before end of array": "پیش از پایان آرایه «,» زیادی آمده است",
    "unexpected utf-8 bom (decode using utf-8-sig)": "نشان BOM در آغاز متن آمده است",
}


def json_reason_fa(message: str) -> str:
    """The Persian of what Python's JSON parser says; for what is not known the words of the parser."""
    return next((fa for known, fa in _JSON_FA.items() if message.lower().startswith(known)), message)
