// A run that ends while one looks elsewhere: a notice of the browser where the person has allowed it, else a sign in the
// title of the window.
(() => {
  const isAble = "Notification" in window && window.isSecureContext;
  const ask = () => { document.documentElement.dataset.notices = isAble ? Notification.permission : "denied"; };
  ask();
  // A browser lets a page ask only while something is being pressed.
  document.addEventListener("click", (event) => {
    if (!isAble || !event.target.closest || !event.target.closest("[data-notices]:not(html)")) return;
    Promise.resolve(Notification.requestPermission()).then(ask, ask);
  });
  const title = document.title || "LoRA Hub";
  let unseen = 0;
  const seen = () => {
    if (document.hidden || !unseen) return;
    unseen = 0;
    document.title = title;
  };
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("focus", seen);
  const isElsewhere = () => document.hidden || !document.hasFocus() ||
    !document.querySelector("#lh-tabs [role=tab][data-tab-id=runs][aria-selected=true]");
  const open = (id) => {
    window.focus();
    window.loraHub.put("lh-run-id", id);
    [...document.querySelectorAll("#lh-tabs [role=tab][data-tab-id=runs]")].find((one) => one.checkVisibility())?.click();
  };
  window.loraHub.ended = (told) => {
    if (!told || !isElsewhere()) return;
    for (const { id, name, said } of JSON.parse(told).runs) {
      if (document.hidden || !document.hasFocus()) {
        unseen += 1;
        document.title = `(${unseen}) ${title}`;
      }
      if (!isAble || Notification.permission !== "granted") continue;
      try {
        const notice = new Notification(name, { body: said, tag: id, lang: document.documentElement.lang, dir: document.documentElement.dir || "auto" });
        notice.onclick = () => { open(id); notice.close(); };
      } catch { /* some browsers show notices of workers only */ }
    }
  };
})();
