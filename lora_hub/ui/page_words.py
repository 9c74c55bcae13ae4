"""Page words for what the shell's words say: an error or a hint is written once, and the page has no `--map` and no
YAML.

    in_page_words("'x' is missing. Choose with --map text=COLUMN or in the page.", "en")
                  "'x' is missing. Choose the column in step 2."

What stands here is held to the code by a test: it reads every error and hint of the package, and none may keep an
option.
"""

import re

from lora_hub.ui.words import WORDS

# The fields of a task of one's own, as step 1 calls them.
_FIELDS = {"title": "own_title", "instruction": "own_instruction", "inputs": "own_inputs", "answer": "own_answer"}
# (pattern in the English or the Persian sentence, English page words, Persian page words)
_PAGE_WORDS = (
    (r" ?\((?:--[\w-]+|LORA_HUB_ORG|[,،] )+\)", "", ""),
    (r"Choose with --map \S+ or in the page\.", "Choose the column in step 2.", ""),
    (r"\(skip broken lines\)", f"(“{WORDS['skip_broken'].en}”)", ""),
    (r"Write for instance --map \S+", "Choose the columns in step 2.", ""),
    (r"برای نمونه(?: بنویسید)?: (?:«--map [^»]*»|--map \S+?)\.?(?=\s|$)", "", "ستون‌ها را در مرحلهٔ ۲ انتخاب کنید."),
    (r"For example --mend \S+", "Use the buttons beside the finding in step 3.", ""),
    (
        r"برای نمونه(?: بنویسید)?: (?:«--mend [^»]*»|--mend \S+?)\.?(?=\s|$)",
        "",
        "از دکمه‌های کنار همان یافته در مرحلهٔ ۳ استفاده کنید.",
    ),
    (r"`python -m lora_hub runs` lists the runs there are\.", "Choose one from the list.", ""),
    (r"`python -m lora_hub adapters` lists what there is\.", "The tab “Adapters” lists what there is.", ""),
    (r"Start it with `python -m lora_hub hub`\.", "Start the app again.", ""),
    (r"آن را با «python -m lora_hub hub» راه بیندازید\.", "", "برنامه را دوباره اجرا کنید."),
    (r"; or give a YAML file\.", ".", ""),
    (r"(?:Give the path of a YAML file|Give --prompt instead of --test)\.", "Choose a task in step 1.", ""),
    (r"مسیر یک فایل YAML را بدهید\.", "", "وظیفه‌ای در مرحلهٔ ۱ انتخاب کنید."),
    (
        r" and name it with --base FOLDER, or train on it once\.",
        " and give its path as the base in step 4 of Fine-tune once.",
        "",
    ),
    (r", or leave --base out\.", " as the base.", ""),
    (r"Name the base with --base where", "Write the base's name or folder into its adapter_config.json where", ""),
    (r",? or name the base with --base\.", ".", ""),
    (r", or with --set prompt_language=en\.", ".", ""),
    (
        r"A task has: title, instruction, inputs, answer, and labels where the answer is one of a few\.",
        "Fill in the fields of step 1.",
        "",
    ),
    (
        (
            r"هر وظیفه این‌ها را دارد: «title»، «instruction»، «inputs»، «answer»، و اگر پاسخ یکی از چند گزینه است "
            r"«labels»\."
        ),
        "",
        "فیلدهای مرحلهٔ ۱ را پر کنید.",
    ),
)


def in_page_words(text: str, language: str) -> str:
    """A message or a hint as the page says it. What knows no shell stays as it is."""
    from lora_hub.ui.text import t

    for pattern, english, persian in _PAGE_WORDS:
        text = re.sub(pattern, persian if language == "fa" else english, text)
    for field, key in _FIELDS.items():
        # “The task's 'title' is missing.”, «title» در این وظیفه نیست
        text = re.sub(rf"(?<=The task's )'{field}'", f"“{t(WORDS[key], 'en')}”", text)
        text = re.sub(rf"«{field}»(?= در این وظیفه)", f"«{t(WORDS[key], 'fa')}»", text)
    return text
