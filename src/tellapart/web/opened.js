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
    if (notice) Object.assign(notice, { textContent: text, className: "notice" });
  };
  /** @param {string} src */
  const missing = async (src) => {
    const got = await fetch(src).catch(() => null);
    const kind = got?.headers.get("Content-Type") ?? "";
    if (got?.ok && kind.includes("javascript")) return;
    const how = !got ? "did not come" : got.ok ? `came as ${kind}` : `is not there (HTTP ${got.status})`;
    say(`A part of this page ${how}: ${src}. Reload the page; if it stays, tell whoever runs it.`);
  };
  addEventListener("DOMContentLoaded", () => failed && isApart && say(why));
  addEventListener(
    "error",
    ({ target }) => {
      if (!(target instanceof HTMLScriptElement)) return;
      failed = true;
      if (isApart) return say(why);
      const links = document.querySelectorAll("link[rel=modulepreload]");
      for (const src of [target.src, ...Array.from(links, (link) => /** @type {HTMLLinkElement} */ (link).href)]) {
        void missing(src);
      }
    },
    true,
  );
})();
