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
    if (event.target.closest && event.target.closest("#lh-example")) typed = false;
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
    if (!event.target.closest || !event.target.closest("#lh-prompt, [id^='lh-input-']")) return;
    typed = true;
    stale(true);
    clearTimeout(told);
    told = setTimeout(() => window.loraHub.put("lh-asked-anew", String(Date.now())), 100);
  });

  window.loraHub.question = { redrawn, asking, placed, checked, stale };
})();
