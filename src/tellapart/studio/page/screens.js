/** The screens of the studio, in the order of their tabs. */

import "./doubts-screen.js";
import "./label-screen.js";
import "./score-screen.js";
import "./share-screen.js";
import "./strips-screen.js";
import "./try-screen.js";

/**
 * A screen is an element with `open(store)`, called each time it is shown, and perhaps `close()`. It tells of "trouble"
 * (detail: an error, or nothing where all is well again) and of "say" (detail: a sentence), both bubbling; `pressed(event)`
 * returns what a key does there.
 * @type {{key: string, title: string, element: string}[]}
 */
export const SCREENS = [
  { key: "label", title: "Label", element: "label-screen" },
  { key: "strips", title: "Strips", element: "strips-screen" },
  { key: "doubts", title: "Doubts", element: "doubts-screen" },
  { key: "score", title: "Score", element: "score-screen" },
  { key: "try", title: "Try", element: "try-screen" },
  { key: "share", title: "Share", element: "share-screen" },
];
