// Compare's fields: what was put into one stays, whichever of them are shown by the time that an answer is there. The server
// says which fields there are, and what an example holds; where a text goes is decided here, by the fields as they are then.
(() => {
  let drawn = "";  // the roles of the fields that are shown, as the page's hidden field has them: a line each
  let typed = false;  // something was typed since an example was asked for
  let taken = "";  // the example that was there before it
  const roles = (named) => (named ? named.split("\n") : []);
  const plain = (text) => (text || "").replace(/\r\n?/g, "\n").trim();
  const example = (kept) => {
    try { return JSON.parse(kept || "null"); } catch { return null; }
  };
  // An example in the fields of these roles: [prompt, a text for each field].
  const written = (one, now, prompt, values) => {
    const texts = now.map((role) => (Object.hasOwn(one.inputs, role) ? one.inputs[role] : ""));
    if (!now.length) return [one.prompt, ...values];
    if (!texts.some(plain)) texts[0] = one.prompt;
    return [prompt, ...values.map((_text, place) => texts[place] ?? "")];
  };
  const isThere = (one, now, prompt, values) => {
    const wanted = written(one, now, prompt, values).slice(now.length ? 1 : 0, now.length + 1);
    return wanted.every((text, place) => plain(text) === plain(now.length ? values[place] : prompt));
  };

  // Other fields are shown: what stood in those that were goes over into them.
  const redrawn = (named, kept, prompt, ...values) => {
    const [before, now, one] = [roles(drawn), roles(named), example(kept)];
    if (named === drawn) return [prompt, ...values];
    drawn = named;
    if (one && isThere(one, before, prompt, values)) return written(one, now, prompt, values);
    const joined = values.slice(0, (before.length ? before : now).length).filter(plain).join("\n");
    if (before.length && !now.length) return [joined, ...values];
    if (!before.length && plain(prompt) && plain(prompt) !== plain(joined)) return [prompt, prompt, ...values.slice(1).map(() => "")];
    return [prompt, ...values];
  };
  // Said at the click itself: Gradio's event may come after the first letters that are typed then.
  document.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest("#lh-example, #lh-example-next, #lh-example-before")) typed = false;
  }, true);
  const asking = (kept, isGiven) => { taken = kept; if (isGiven) typed = false; };
  // An example has come. Whoever typed meanwhile means what was typed.
  const placed = (kept, prompt, ...values) => {
    const one = kept !== taken && !typed && example(kept);
    return one ? written(one, roles(drawn), prompt, values) : [prompt, ...values];
  };

  // [the example, its note]; neither where another question stands in the fields than the example's, or another adapter is
  // first: that one has another right answer. Until somebody types, the question is the example's, wherever it stands.
  const checked = (kept, note, names, prompt, ...values) => {
    const one = example(kept);
    const fits = !one || ((names || [])[0] === one.adapter && (!typed || isThere(one, roles(drawn), prompt, values)));
    return fits ? [kept, note] : ["", ""];
  };

  // What is asked, changed in whichever way: typed, pasted, cut, undone. Gradio's own event tells of some of these.
  // What was answered looks at once like an answer to another question; the page is told when the change is over.
  const stale = (is) => document.getElementById("lh-answers")?.classList.toggle("lh-stale", is);
  let told = 0;
  document.addEventListener("input", (event) => {
    if (!event.target.closest || !event.target.closest("#lh-prompt, [id^='lh-input-'], #lh-system, #lh-typed-examples")) return;
    typed = true;
    stale(true);
    clearTimeout(told);
    told = setTimeout(() => window.loraHub.put("lh-asked-anew", String(Date.now())), 100);
  });

  // --- The panes while they answer --------------------------------------------------------------------------------------
  // The server tells what changed of each pane; the rest of the page stays as it is, what is selected in it, too. It may come
  // before Gradio has drawn the panes of its question: then it waits for them.
  let waiting = new Map();
  const patch = () => {
    for (const [key, part] of waiting) {
      const pane = document.querySelector(`#lh-answers [data-asked="${CSS.escape(part.dataset.asked)}"] [data-place="${CSS.escape(part.dataset.to)}"]`);
      if (!pane) continue;
      waiting.delete(key);
      const live = pane.querySelector(".lh-live");
      if (live.innerHTML !== part.innerHTML) live.innerHTML = part.innerHTML; // what is selected in it stays selected
      if ("busy" in part.dataset) pane.setAttribute("aria-busy", "true"); else pane.removeAttribute("aria-busy");
    }
  };
  const listen = () => {
    const [told, answers] = [document.getElementById("lh-told"), document.getElementById("lh-answers")];
    if (!told || !answers) return false;
    new MutationObserver(() => {
      for (const part of told.querySelectorAll("[data-to]")) {
        if (waiting.size && [...waiting.values()][0].dataset.asked !== part.dataset.asked) waiting = new Map();
        waiting.set(part.dataset.to, part.cloneNode(true));
      }
      patch();
    }).observe(told, { childList: true, subtree: true, characterData: true });
    new MutationObserver(() => { if (waiting.size) patch(); }).observe(answers, { childList: true, subtree: true });
    return true;
  };
  if (!listen()) {
    const drawing = new MutationObserver(() => { if (listen()) drawing.disconnect(); });
    drawing.observe(document, { childList: true, subtree: true });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-again], [data-copy-answer]");
    if (!button) return;
    if ("again" in button.dataset) {
      const asked = button.closest("[data-asked]").dataset.asked;
      window.loraHub.put("lh-again", [asked, button.dataset.again, Date.now()].join("\n"));
      return;
    }
    const said = [...button.closest("article").querySelectorAll(".lh-answer")].map((one) => one.textContent).join("\n\n");
    const words = button.textContent;
    navigator.clipboard.writeText(said).then(() => {
      button.textContent = button.dataset.copyAnswer;
      setTimeout(() => { button.textContent = words; }, 1500);
    });
  });
  // Ctrl+Enter asks, from wherever one stands in the question.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (!event.target.closest || !event.target.closest("#lh-tab-compare")) return;
    const ask = document.getElementById("lh-ask");
    if (!ask || !ask.checkVisibility()) return;
    event.preventDefault();
    ask.click();
  });
  // The strengths that are not 1, as the server reads them.
  document.addEventListener("input", (event) => {
    const slider = event.target.closest && event.target.closest("[data-strength]");
    if (!slider) return;
    slider.nextElementSibling.textContent = Number(slider.value).toLocaleString(document.documentElement.lang);
    const all = [...document.querySelectorAll("#lh-sliders [data-strength]")];
    const kept = all.filter((one) => Number(one.value) !== 1).map((one) => [one.dataset.strength, Number(one.value)]);
    window.loraHub.put("lh-strengths", kept.length ? JSON.stringify(Object.fromEntries(kept)) : "");
    stale(true);
  });

  // --- A chat that goes on ------------------------------------------------------------------------------------------------
  // [the field of the next turn, Edit, New]: a turn that was answered leaves the field, unless another is typed there.
  const shown = (is) => ({ visible: is, __type__: "update" });
  const turns = (chat) => Object.values(example(chat) || {}).flat();
  // A chat is asked as one text, whichever fields its adapters have.
  const fields = () => [...document.querySelectorAll("[id^='lh-input-'] textarea")].filter((one) => one.checkVisibility());
  const write = (text) => fields().forEach((field, place) => window.loraHub.put(field.closest("[id^='lh-input-']").id, place ? "" : text));
  const wentOn = (chat, prompt) => {
    const all = turns(chat);
    const last = all.length ? plain(all[all.length - 1][0]) : "";
    const isAnswered = last && last === plain(prompt);
    if (last && last === plain(fields().map((one) => one.value).filter(plain).join("\n"))) {
      write("");
      stale(false); // the answers are still of the question that has just left
    }
    return [isAnswered ? "" : prompt, shown(all.length > 0), shown(all.length > 0)];
  };
  // [the chat without its last turn, that turn in the field]
  const edited = (chat, prompt) => {
    const all = example(chat) || {};
    const last = turns(chat).pop();
    if (!last) return [chat, prompt];
    write(last[0]);
    const before = Object.entries(all).map(([name, pairs]) => [name, pairs.slice(0, -1)]).filter(([, pairs]) => pairs.length);
    return [before.length ? JSON.stringify(Object.fromEntries(before)) : "", last[0]];
  };

  window.loraHub.question = { redrawn, asking, placed, checked, stale, wentOn, edited };
})();
