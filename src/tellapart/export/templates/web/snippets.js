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
        "CSS custom properties such as `--tell-apart-accent` set its looks.",
    },
    {
      title: "On a site that forbids scripts",
      text: `<iframe src="${here}/embed.html" title="Photo classifier" width="100%" height="640" allow="camera"></iframe>`,
      remark: "The same in a frame of its own.",
    },
  ];
}
