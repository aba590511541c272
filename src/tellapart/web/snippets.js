/** What to copy to use this model elsewhere. */

import { FRAME_REMARK, frameSnippet } from "./frame.js";

/**
 * @param {URL} base where the pages are; ends with a slash.
 * @returns {{title: string, text: string, remark: string}[]} remarks have code between backticks.
 */
export function snippets(base) {
  // A word as the server takes it: what else somebody wrote into the address is not to be copied into a shell.
  const token = new URLSearchParams(location.hash.slice(1)).get("token")?.match(/^[\w-]{6,100}$/)?.[0];
  const here = base.href.replace(/\/$/, "");
  const all = [
    {
      title: "On any web page",
      text:
        `<script type="module" src="${here}/tell-apart.js"></script>\n` +
        `<tell-apart src="${here}" examples>\n` +
        `  The photo classifier at ${here} could not be loaded.\n` +
        "</tell-apart>",
      remark:
        "Start this server with `--allow-origin` and the address of your site. " +
        "CSS custom properties such as `--tell-apart-accent` set its looks; `theme=\"dark\"` fits a page that is always dark.",
    },
    {
      title: "In a frame",
      text: frameSnippet(`${here}/embed`, base.origin),
      remark: `It needs \`--allow-origin\` as well. ${FRAME_REMARK}`,
    },
    {
      title: "From a program",
      text: `curl ${token ? `-H "Authorization: Bearer ${token}" ` : ""}-F photos=@photo.jpg ${here}/v1/predict`,
      remark: "Up to 16 photos in one request; the answer is JSON.",
    },
  ];
  // On another page everybody could read the token, and without it that page gets no answers.
  return token ? all.slice(-1) : all;
}
