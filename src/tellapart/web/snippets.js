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
        `<tell-apart src="${here}" examples>\n` +
        `  The photo classifier at ${here} could not be loaded.\n` +
        "</tell-apart>",
      remark:
        "Start this server with `--allow-origin` and the address of your site. " +
        "CSS custom properties such as `--tell-apart-accent` set its looks.",
    },
    {
      title: "On a site that forbids scripts",
      text:
        `<iframe src="${here}/embed" title="Photo classifier"\n` +
        '        width="100%" height="640" allow="camera"></iframe>',
      remark: "The same in a frame of its own. It needs `--allow-origin` as well.",
    },
    {
      title: "From a program",
      text: `curl -F photos=@photo.jpg ${here}/v1/predict`,
      remark: "Up to 16 photos in one request; the answer is JSON.",
    },
  ];
}
