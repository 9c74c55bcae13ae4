"""The sentences about several tasks of one base: step 5's list, and runs that were started in one go. `words` takes them in."""

TASKS_WORDS: dict[str, tuple[str, str]] = {
    # --- the list of step 5 -------------------------------------------------------------------------------------------
    "add_task": ("Add task", "افزودن کار"),
    "task_list": ("Trained in one go", "این‌ها یکجا آموزش می‌بینند"),
    "task_added": ("{task} is on the list. The form is free for the next task.", "«{task}» به فهرست رفت. فرم برای کارِ بعدی آماده است."),
    "edit": ("Edit", "ویرایش"),
    "edit_task": ("Edit {task}", "ویرایش {task}"),
    "form_in_use": ("The form holds another task, which is not ready: {reason}", "در فرم کار دیگری هست که آماده نیست: {reason}"),
    "form_in_use_hint": ("Finish it first, or remove its file (step 2).", "نخست آن را کامل کنید، یا پرونده‌اش را بردارید (گام ۲)."),
    "remove": ("Remove", "بردار"),
    "remove_task": ("Remove {task}", "برداشتنِ {task}"),
    "train_listed": ("Train {count} tasks", "{count} کار را آموزش بده"),
    "train_listed_one": ("Train 1 task", "۱ کار را آموزش بده"),
    "base_fixed": ("Fixed while tasks are on the list of step 5: they share one base", "تا فهرستِ گام ۵ خالی نشود همین می‌ماند: همهٔ کارها یک مدل پایه دارند"),
    "on_list": ("{count} tasks are on the list.", "{count} کار در فهرست است."),
    "on_list_one": ("One task is on the list.", "یک کار در فهرست است."),
    "list_waits": ("{on_list} Fill the form for the next one, or train.", "{on_list} برای کارِ بعدی فرم را پر کنید یا آموزش دهید."),
    "own_left_out": ("{on_list} The one in the form is not ready: {reason}", "{on_list} کارِ درونِ فرم آماده نیست: {reason}"),
    "listed_already": ("The task in the form is on the list already.", "کارِ درونِ فرم پیش‌تر به فهرست رفته است."),
    "ready_with_list": ("Ready. The task in the form is trained with those on the list.", "آماده است. کارِ درونِ فرم همراه با فهرست آموزش می‌بیند."),
    "cannot_train": ("Cannot be trained any more.", "دیگر نمی‌توان آموزشش داد."),
    "some_left": (
        "A task on the list cannot be trained any more; the reason is beside it. Press Train again to go on without it.",
        "کاری در فهرست دیگر آموزش‌پذیر نیست و دلیلش کنارِ آن آمده است. اگر بی آن پیش برویم، دوباره دکمهٔ آموزش را بزنید.",
    ),
    "none_left": ("None of these tasks can be trained any more.", "هیچ‌یک از این کارها دیگر آموزش‌پذیر نیست."),
    "none_left_hint": ("The reason is beside each; remove it and add it anew.", "دلیلش کنارِ هر کار آمده است؛ برش دارید و از نو بیفزایید."),
    "started_all": ("{count} runs have started.", "{count} اجرا آغاز شد."),
    # --- runs of a group ----------------------------------------------------------------------------------------------
    "group_of": ("{count} in one go", "{count} اجرای همراه"),
    "with_started": ("Started in one go with {names}", "همراه با {names} آغاز شد"),
    "with_together": ("Trained together with {names}", "آموزش همراه با {names}، در یک گذر"),
    "with_in_turn": ("Trained in one go with {names}, one after another", "آموزش همراه با {names}، یکی پس از دیگری"),
}
