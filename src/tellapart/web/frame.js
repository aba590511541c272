/** What to copy to show this model in a frame, of a server and of a folder without one. */

/**
 * @param {string} page the address to show.
 * @param {string} origin where it comes from; heights that others send are not listened to.
 */
export const frameSnippet = (page, origin) =>
  `<iframe id="photo-classifier" src="${page}" title="Photo classifier"\n` +
  '        width="100%" height="720" frameborder="0" allow="camera"></iframe>\n' +
  "<script>\n" +
  '  const frame = document.getElementById("photo-classifier");\n' +
  '  const theme = document.documentElement.dataset.theme ?? "";\n' +
  "  frame.src += `?parent=${encodeURIComponent(location.origin)}&theme=${theme}`;\n" +
  '  addEventListener("message", ({ origin, source, data }) => {\n' +
  `    if (origin !== "${origin}" || source !== frame.contentWindow) return;\n` +
  '    if (data?.type === "tell-apart-height") frame.height = data.height;\n' +
  "  });\n" +
  "</script>";

export const FRAME_REMARK =
  "The script makes the frame as high as what is in it and passes on the `data-theme` of your page's `<html>`, light or " +
  "dark. Where scripts are forbidden, leave it out: the frame is 720 pixels high and scrolls.";
