// Runs before the page's own scripts (see early.py): the language, the direction, and the page's address.
// The browser's language decides at first; what a person chooses is remembered here and nowhere else.
(() => {
  const key = "lora_hub_language";
  const known = window.loraHubLanguages; // language -> its direction (see early.py)
  const stored = () => {
    try { return localStorage.getItem(key); } catch { return null; } // storage may be forbidden inside a frame
  };
  const asked = new URLSearchParams(location.search).get("lang");
  // A browser says "pt-BR" where a catalogue is called "pt_BR" or "pt".
  const spoken = (navigator.languages || []).flatMap((name) => [name.replace("-", "_"), name.split("-")[0]]);
  const language = [asked, stored(), ...spoken].find((name) => Object.hasOwn(known, name)) || "en";
  const tag = language.replaceAll("_", "-");

  // Gradio takes its own words' language from here.
  Object.defineProperty(navigator, "language", { get: () => tag, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [tag], configurable: true });
  const dress = () => {
    const root = document.documentElement;
    if (root.lang !== tag) root.lang = tag;
    if (root.dir !== known[language]) root.dir = known[language];
  };
  dress();
  new MutationObserver(dress).observe(document.documentElement, { attributes: true, attributeFilter: ["lang", "dir"] });

  // The server answers the page's own functions to the page alone (programs.py).
  const plainFetch = window.fetch;
  window.fetch = (where, options = {}) => {
    if (!String(where?.url ?? where).includes("/gradio_api/queue/join")) return plainFetch(where, options);
    const headers = new Headers(options.headers);
    headers.set("X-LoRA-Hub-Page", "1");
    return plainFetch(where, { ...options, headers });
  };

  // --- Who is signed in ----------------------------------------------------------------------------------------------
  // Where people sign in the head says who asks (render_person.py); elsewhere there is nobody to say anything of.
  // What they typed is kept for them alone: neither signing out nor the next person at this browser leaves it there.
  const typedKey = "lora_hub_typed", chosenKey = "lora_hub_chosen", whoseKey = "lora_hub_whose";
  const keeps = () => { // a frame may forbid both
    try { return [[sessionStorage, [typedKey, chosenKey]], [localStorage, ["lora_hub_form", "lora_hub_tasks"]]]; } catch { return []; }
  };
  const forget = ([store, names]) => { for (const name of names) store.removeItem(name); };
  let leaving = false; // signing out: nothing is kept any more
  const person = window.loraHubPerson;
  const mayNot = (tab) => Boolean(person) && (["finetune", "data"].includes(tab) || (tab === "tests" && !person.role)) && /\bbrowse\b/.test(person.may) && !/\btrain\b/.test(person.may);
  if (person) {
    for (const kept of person.id ? keeps() : []) {
      const whose = kept[0].getItem(whoseKey);
      if (whose && whose !== person.kept) forget(kept);
      kept[0].setItem(whoseKey, person.kept);
    }
    const show = () => Object.assign(document.documentElement.dataset, { person: person.id, role: person.role, may: person.may });
    show();
    // Before the door there is nothing to be noted: it says itself what is missing.
    if (!/\bbrowse\b/.test(person.may)) document.documentElement.dataset.outside = "";
    // What is drawn for somebody says for whom (asking.py). Who signed out in another tab, or whose role has changed,
    // sees it here, too, and what was typed stays; another person's page is another page.
    const askedBy = () => {
      for (const sign of document.querySelectorAll(".lh-asked-by:not([data-read])")) {
        sign.dataset.read = "";
        const { id, role, may } = JSON.parse(sign.title);
        if (id && id !== person.id) location.reload();
        else if (id !== person.id || may !== person.may) {
          Object.assign(person, { id, role, may });
          if (/\bbrowse\b/.test(may)) delete document.documentElement.dataset.outside;
          show();
        }
      }
    };
    const name = () => {
      for (const place of document.querySelectorAll("[data-me]")) if (place.textContent !== person.id) place.textContent = person.id;
      for (const place of document.querySelectorAll("[data-avatar]:empty")) {
        if (!person.avatar) { place.textContent = [...person.id][0]?.toUpperCase() || ""; continue; }
        const image = place.appendChild(document.createElement("img"));
        Object.assign(image, { src: person.avatar, alt: "", referrerPolicy: "no-referrer" });
      }
    };
    new MutationObserver(() => { name(); askedBy(); }).observe(document, { childList: true, subtree: true });
    // Back to what is open now. Inside a frame of another site a browser may keep no session: then in a window of its own.
    const next = () => "next=" + encodeURIComponent(location.search || "?");
    document.addEventListener("click", (event) => {
      const link = event.target.closest && event.target.closest("[data-sign-in]");
      if (!link) return;
      link.href = `login/huggingface?${next()}`;
      if (window.top !== window.self) link.target = "_blank";
    }, true);
    document.addEventListener("submit", (event) => {
      if (!event.target.matches(".lh-me form")) return;
      event.target.action = `logout?${next()}`;
      leaving = true;
      keeps().forEach(forget);
    }, true);
  }

  // --- Nothing can be clicked before it is heard -------------------------------------------------------------------
  // The tabs are inert from the moment they are drawn until the kept form and the address are back in their fields, and
  // while an answer is on its way that writes the whole form: what is clicked counts, or cannot be clicked yet.
  const holds = new Map([["address", "#lh-tabs"], ["form", "#lh-tabs"]]); // what is waited for -> what is inert meanwhile
  const early = new Set(); // file fields that were filled meanwhile; only a program can do that
  const rest = () => {
    const waiting = new Set(holds.values());
    for (const place of document.querySelectorAll("#lh-tabs, #lh-task")) {
      const waits = waiting.has(`#${place.id}`);
      if (place.inert !== waits) place.inert = waits;
      if (place.hasAttribute("aria-busy") !== waits) place.toggleAttribute("aria-busy", waits);
    }
    if (waiting.has("#lh-tabs") || !document.getElementById("lh-tabs")) return;
    for (const field of early) field.dispatchEvent(new Event("change", { bubbles: true }));
    early.clear();
  };
  const hold = (name, place = "#lh-tabs") => { holds.set(name, place); rest(); };
  const release = (name) => { holds.delete(name); rest(); };
  // An observer is called before the browser draws or hands on a click. Gradio may draw the tabs anew.
  new MutationObserver(() => { if (holds.size) rest(); }).observe(document, { childList: true, subtree: true });

  // --- The address: which tab, run and adapters are shown -----------------------------------------------------------
  const opened = new URLSearchParams(location.search); // as it was opened: the first tab's own event comes before it is read
  const read = (name) => opened.get(name) || "";
  let pushed = 0;
  let returning = ""; // where Back leads to, until the page shows it: what it does for that is no new place
  let meanwhile = {}; // the last of what was said of the address until then: a click in that time counts
  // What was pressed to come to another tab is not shown any more, and the focus with it: it goes to the tab's own button.
  let focused = null;
  document.addEventListener("focusin", (event) => { focused = event.target; });
  const refocus = (tab, pressed = focused, tries = 200) => {
    if (!focused || focused !== pressed) return;
    // The tab is told before it is shown, and before what was pressed is taken away: on a machine with much to do,
    // seconds before.
    if (shownTab() !== tab || (focused.isConnected && focused.checkVisibility())) {
      if (tries) setTimeout(refocus, 50, tab, pressed, tries - 1);
      return;
    }
    // The browser itself takes the focus from what is hidden, sometimes later than this.
    if (![document.body, focused].includes(document.activeElement)) return;
    const buttons = [...document.querySelectorAll(`#lh-tabs [role=tab][data-tab-id="${CSS.escape(tab)}"]`)];
    buttons.find((button) => button.checkVisibility())?.focus({ preventScroll: true });
  };
  // A new tab or run is a place to come back to; what changes together with it is the same place.
  const address = (name, value, isPlace = false) => {
    if (holds.has("address")) return;
    if (name === "tab") setTimeout(() => refocus(value), 50);
    if (returning) { meanwhile[name] = [value, isPlace]; return; }
    const url = new URL(location.href);
    if ((url.searchParams.get(name) || "") === (value || "")) return;
    if (value) url.searchParams.set(name, value); else url.searchParams.delete(name);
    const isNew = isPlace && Date.now() - pushed > 800;
    if (isNew) pushed = Date.now();
    history[isNew ? "pushState" : "replaceState"](history.state, "", url);
  };
  // Writes into a field of the page as typing does, so that its value is the page's, too.
  const put = (field, value) => {
    const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const fieldOf = (id) => document.querySelector(`#${CSS.escape(id)} :is(textarea, input)`);
  const putInto = (id, value) => { const field = fieldOf(id); if (field) put(field, value); };
  // Who may not train opens on what there is.
  const tabOf = (get) => {
    const tab = get("tab") || (get("run") ? "runs" : "");
    return mayNot(tab || "finetune") && !get("run") ? "adapters" : tab;
  };
  const where = (get) => JSON.stringify([tabOf(get), get("run"), get("adapters"), get("adapter")]);
  // The address names the tab that is shown, not the one an event spoke of: under load such an event comes after the
  // next click. Gradio draws its row of tabs a second time, to measure it.
  const shownTab = () => document.querySelector("#lh-tabs [role=tab][aria-selected=true]")?.dataset.tabId;
  let lastTab = "";
  new MutationObserver(() => {
    const tab = shownTab();
    if (!tab || tab === lastTab) return;
    lastTab = tab;
    address("tab", tab, true);
  }).observe(document, { attributes: true, attributeFilter: ["aria-selected"], childList: true, subtree: true });
  window.addEventListener("popstate", () => {
    const field = fieldOf("lh-address");
    if (!field) return;
    const now = new URLSearchParams(location.search);
    const get = (name) => now.get(name) || "";
    meanwhile = {};
    // Tab, run and adapter are shown at once: a server's answer that came after the next click would undo it.
    const tab = tabOf(get) || "finetune";
    const button = [...document.querySelectorAll(`#lh-tabs [role=tab][data-tab-id="${CSS.escape(tab)}"]`)].find((one) => one.checkVisibility());
    returning = JSON.stringify([where(get), Date.now(), Boolean(button)]);
    if (button) {
      if (tab !== shownTab()) button.click();
      for (const [id, name] of [["lh-run-id", "run"], ["lh-adapter-id", "adapter"], ["lh-test-id", "test"]]) {
        const there = fieldOf(id); // a tab that was never opened has no field yet
        if (there && there.value !== get(name)) put(there, get(name));
      }
    }
    put(field, returning);
  });
  const returned = (told, names) => setTimeout(() => { // its tab's own event comes first
    if (told !== returning) return;
    returning = "";
    address("adapters", (names || []).join(",")); // they stay, whatever the place said
    for (const [name, [value, isPlace]] of Object.entries(meanwhile)) address(name, value, isPlace);
  }, 100);
  // What is clicked inside rendered HTML goes into the hidden field that waits for it: the last click counts.
  document.addEventListener("click", (event) => {
    const chosen = event.target.closest && event.target.closest("[data-id], [data-open], [data-put], [data-edit]");
    if (!chosen) return;
    const { id, open, edit, put: target, value } = chosen.dataset;
    const field = fieldOf(id ? "lh-run-id" : open ? "lh-adapter-id" : edit ? "lh-edited" : target);
    if (!field) return;
    if (edit) hold("list");
    put(field, id || open || value || `${edit} ${Date.now()}`);
    if (target === "lh-start-from") scrollTo(0, 0); // the form begins above
  });

  // An empty place leads to where it is filled. Gradio draws its row of tabs a second time, to measure it.
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-go]");
    if (!button) return;
    const tabs = [...document.querySelectorAll(`#lh-tabs [role=tab][data-tab-id="${CSS.escape(button.dataset.go)}"]`)];
    tabs.find((one) => one.checkVisibility())?.click();
    scrollTo(0, 0);
  });

  // The copy button of a piece of code says for a moment that it has copied.
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-copy]");
    if (!button) return;
    const words = button.textContent;
    navigator.clipboard.writeText(button.nextElementSibling.textContent).then(() => {
      button.textContent = button.dataset.copy;
      button.disabled = true;
      setTimeout(() => { button.textContent = words; button.disabled = false; }, 1500);
    });
  });

  // What publishing would do is planned for the name in the field: while another is typed the plan looks old, and it is
  // made anew as soon as the typing rests. Gradio plans when the field is left.
  let naming = 0;
  document.addEventListener("input", (event) => {
    const place = event.target.closest && event.target.closest("#lh-publish-name, #lh-org");
    if (!place) return;
    document.getElementById("lh-planned")?.classList.add("lh-outdated");
    clearTimeout(naming);
    naming = setTimeout(() => event.target.dispatchEvent(new Event("blur")), 500);
  });
  // A name typed for one run is none for another, whose adapter would become a version of a strange repo.
  let namedRun = "";
  const nameOfRun = (run) => {
    if (!run) return; // the page is not filled yet
    const field = namedRun && namedRun !== run && fieldOf("lh-publish-name");
    namedRun = run;
    if (field && field.value) { put(field, ""); field.dispatchEvent(new Event("blur")); }
  };
  const runNow = () => new URLSearchParams(location.search).get("run") ?? "";
  const planned = (names) => {
    const now = ["lh-org", "lh-publish-name"].map((id) => fieldOf(id)?.value ?? "");
    if (now.every((name, place) => name === (names[place] ?? ""))) document.getElementById("lh-planned")?.classList.remove("lh-outdated");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".lh-languages [data-language]");
    if (!button) return;
    try { localStorage.setItem(key, button.dataset.language); } catch { address("lang", button.dataset.language); }
    if (asked) address("lang", button.dataset.language);
    location.reload(); // what was typed is kept: the form is stored in the browser, the run is in the address
  });

  // --- What is typed outlives a reload and another language ----------------------------------------------------------
  // It is kept for this tab of the browser alone, and only when the page goes. Passwords and what looks like a token never.
  const typable = "#lh-tabs [id^='lh-'] :is(textarea, input:not([type]), input[type='text'], input[type='number']):not(#lh-run-name *, #lh-run-tags *)";
  const isSecret = (value) => /\bhf_\w{8,}|\bsk-\w{8,}|\bgh[pousr]_\w{8,}/.test(value);
  const idOf = (field) => field.closest("[id^='lh-']").id;
  const isTyped = (field) => field.getAttribute("role") !== "combobox" && !field.closest(".hidden, .hide") && !("label" in field.dataset);
  let pending = {}; // id -> text, of fields that are not drawn yet
  try { pending = JSON.parse(sessionStorage.getItem(typedKey) || "{}") || {}; } catch { pending = {}; }
  if (pending["run of lh-publish-name"] !== runNow()) delete pending["lh-publish-name"];
  delete pending["run of lh-publish-name"];
  // What was clicked just now may not have reached the kept form when the page goes: it is kept with what is typed.
  const clickable = "#lh-task, #lh-effort";
  // The page's first events may write into the fields of a question what they read there before it came back.
  const stay = (id, text) => {
    let isTouched = false;
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { isTouched = true; }, { capture: true, once: true });
    for (const wait of [50, 200, 500, 1000, 2000]) {
      setTimeout(() => { const field = fieldOf(id); if (!isTouched && field && field.value !== text) put(field, text); }, wait);
    }
  };
  const putBack = () => {
    for (const group of document.querySelectorAll(clickable)) {
      const name = `clicked ${group.id}`;
      const input = name in pending && group.querySelector(`input[value="${CSS.escape(pending[name])}"]`);
      if (!input) continue;
      delete pending[name];
      if (!input.checked) input.click();
    }
    for (const field of document.querySelectorAll(typable)) {
      const id = idOf(field);
      if (!(id in pending) || !isTyped(field)) continue;
      const text = pending[id];
      delete pending[id];
      if (text !== field.value) { put(field, text); field.dispatchEvent(new Event("blur")); }
      if (/^lh-(prompt|input-\d)$/.test(id)) stay(id, text);
    }
  };
  const keep = () => {
    const kept = { ...pending, "run of lh-publish-name": runNow() };
    for (const field of document.querySelectorAll(typable)) {
      if (!isTyped(field)) continue;
      if (isSecret(field.value)) delete kept[idOf(field)]; else kept[idOf(field)] = field.value;
    }
    for (const group of document.querySelectorAll(clickable)) {
      const chosen = group.querySelector("input:checked");
      if (chosen) kept[`clicked ${group.id}`] = chosen.value;
    }
    for (const most of [Infinity, 20000]) { // a pasted table may be larger than what the browser keeps
      for (const id of Object.keys(kept)) if (kept[id].length > most) delete kept[id];
      try { sessionStorage.setItem(typedKey, JSON.stringify(kept)); return; } catch { /* too much, or forbidden: tried with less */ }
    }
  };
  window.addEventListener("pagehide", () => { if (!holds.has("form") && !leaving) keep(); });
  new MutationObserver(() => { if (!holds.has("form") && Object.keys(pending).length) putBack(); }).observe(document, { childList: true, subtree: true });
  // The tab that the address names is shown a moment after the page was told to; a click before that would be undone by it.
  const drawn = async (tab) => {
    const button = () => document.querySelector(`#lh-tabs [role=tab][data-tab-id="${CSS.escape(tab)}"]`);
    for (let tries = 0; tries < 100; tries += 1) {
      if (!button() || button().getAttribute("aria-selected") === "true") return;
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  // The kept form is back: what was typed after it was kept goes on top of it, once the page has drawn it.
  const wired = async (name) => {
    await new Promise((done) => setTimeout(done));
    if (name === "form") putBack();
    if (name === "address") await drawn(JSON.parse(where(read))[0] || "finetune");
    release(name);
    // Every place has its tab in its address, so that Back finds what it left.
    if (name === "address") address("tab", JSON.parse(where(read))[0] || "finetune");
  };

  // --- What is chosen in a small field outlives them, too (app.py) ------------------------------------------------------
  const chose = (ids, values) => {
    const kept = Object.fromEntries(ids.map((id, place) => [id, values[place]]));
    try { sessionStorage.setItem(chosenKey, JSON.stringify(kept)); } catch { /* forbidden inside a frame */ }
  };
  // The address of a shelf names its filters: `shelf=search=spam&sort=score`, encoded, by the ends of their fields' ids.
  const filterOf = (id) => id.match(/^lh-(?:shelf|filter)-(\w+)$/)?.[1];
  const filters = read("shelf") ? new URLSearchParams(read("shelf").slice(0, 2000)) : null;
  for (const name of ["search", "score", "size"]) if (filters) pending[`lh-shelf-${name}`] = filters.get(name) || (name === "search" ? "" : "0");
  const chosen = (ids, values, known) => {
    let kept = {};
    try { kept = JSON.parse(sessionStorage.getItem(chosenKey) || "{}") || {}; } catch { /* nothing was kept */ }
    return ids.map((id, place) => {
      const told = filters && filterOf(id) ? filters.get(filterOf(id)) : kept[id];
      return typeof told === typeof values[place] && (!known[id] || known[id].includes(told)) ? told : values[place];
    });
  };
  // first: what the fields hold where nothing is filtered.
  const filtered = (ids, first, values) => {
    const told = ids.map((id, place) => [filterOf(id), values[place]]).filter(([, value], place) => value && value !== first[place]);
    address("shelf", new URLSearchParams(told).toString());
  };

  // --- Files ----------------------------------------------------------------------------------------------------------
  // A file over the limit is told at once; nothing of it is sent. The words are in the page (data_room.py).
  const isTooLarge = (files) => {
    const card = document.getElementById("lh-too-large");
    if (!card) return false;
    const largest = person && person.largest; // what the organization allows; elsewhere the machine's own limit
    for (const said of largest ? card.querySelectorAll(".lh-said") : []) said.textContent = largest.said[said.lang];
    card.hidden = ![...(files || [])].some((file) => file.size > (largest ? largest.bytes : Number(card.dataset.limit)));
    return !card.hidden;
  };
  const guard = (event) => {
    const place = event.target.closest && event.target.closest("#lh-file, #lh-test-file");
    if (!place) return;
    if (isTooLarge(event.dataTransfer ? event.dataTransfer.files : event.target.files)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!event.dataTransfer) event.target.value = "";
    } else if ([...holds.values()].includes("#lh-tabs") && !event.dataTransfer) {
      event.stopImmediatePropagation();
      early.add(event.target);
    }
  };
  document.addEventListener("change", guard, true);
  document.addEventListener("drop", guard, true);
  // A file dropped beside its field, or on a page that is still waking, does not take the browser away from the page.
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => { if (event.dataTransfer && event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  }

  window.loraHub = { language, address, read, where: () => where(read), hold, release, wired, returned, planned, nameOfRun, chose, chosen, filtered, put: putInto };
})();
