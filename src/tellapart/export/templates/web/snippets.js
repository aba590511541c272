/** What to copy to use this model elsewhere. */

import { FRAME_REMARK, frameSnippet } from "./frame.js";

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
      text: frameSnippet(`${here}/embed.html`, base.origin),
      remark: FRAME_REMARK,
    },
  ];
}
