/** What to copy to use this model elsewhere. */

/**
 * @param {URL} base where the pages are; ends with a slash.
 * @returns {{title: string, text: string, remark: string}[]} remarks have code between backticks.
 */
export function snippets(base) {
  const here = base.href.replace(/\/$/, "");
  return [
    {
      title: "On any web page",
      text:
        `<script type="module" src="${here}/tell-apart.js"></script>\n` +
        `<tell-apart src="${here}/model/" examples>The photo classifier at ${here} could not be loaded.</tell-apart>`,
      remark:
        "Photos stay with the visitor. A page on another site needs a host that allows it, as GitHub Pages does. " +
        "CSS custom properties such as `--tell-apart-accent` set its looks; `theme=\"dark\"` fits a page that is always dark.",
    },
    {
      title: "In a frame",
      text:
        `<iframe id="photo-classifier" src="${here}/embed.html" title="Photo classifier"\n` +
        '        width="100%" height="720" frameborder="0" allow="camera"></iframe>\n' +
        "<script>\n" +
        '  const frame = document.getElementById("photo-classifier");\n' +
        '  const theme = document.documentElement.dataset.theme ?? "";\n' +
        "  frame.src += `?parent=${encodeURIComponent(location.origin)}&theme=${theme}`;\n" +
        '  addEventListener("message", ({ origin, source, data }) => {\n' +
        `    if (origin !== "${base.origin}" || source !== frame.contentWindow) return;\n` +
        '    if (data?.type === "tell-apart-height") frame.height = data.height;\n' +
        "  });\n" +
        "</script>",
      remark:
        "The script makes the frame as high as what is in it and passes on the `data-theme` of your page's `<html>`, light or " +
        "dark. Where scripts are forbidden, leave it out: the frame is 720 pixels high and scrolls.",
    },
  ];
}
