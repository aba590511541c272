// Says why the page does not start. It is no module, because where modules are blocked it still runs.
(() => {
  const isFile = location.protocol === "file:";
  const isApart = isFile || self.origin === "null"; // a frame without an origin
  const why = isFile
    ? "A page opened from a file cannot load the model. Put its folder on a web server; on this computer: " +
      "python -m http.server 8000 in the folder, then open http://127.0.0.1:8000"
    : "This page is in a sandbox in which it can load nothing. Whoever shows it can allow it: allow-same-origin.";
  let failed = false;
  /** @param {string} text */
  const say = (text) => {
    const notice = document.querySelector(".unloaded");
    if (notice && text) Object.assign(notice, { textContent: text, className: "notice" });
  };
  addEventListener("DOMContentLoaded", () => failed && isApart && say(why));
  addEventListener(
    "error",
    ({ target }) => {
      if (!(target instanceof HTMLScriptElement)) return;
      failed = true;
      if (isApart) say(why);
      else import("./why.js").then(async ({ missing }) => say(await missing(target.src))).catch(() => {});
    },
    true,
  );
})();
