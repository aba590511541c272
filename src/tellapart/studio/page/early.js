/** Asks for the photos at once, while the browser still fetches the screens that show them. */

import { beginWhole } from "./client.js";

beginWhole();
