/**
 * Why a part of the page did not come. Fetched when one did not: it is asked for once more, with ears open for what the
 * browser says of policies.
 */

import { Failure } from "./client.js";

const SCRIPT = /^(text|application)\/(x-)?(java|ecma)script/i;
const PATIENCE_MS = 200; // for the browser to say it; it does so after the request has failed

/**
 * @param {URL} url of a server that did not answer.
 * @returns {Promise<Failure | null>} where a policy of the page forbids to ask it; else null.
 */
export async function forbiddenToAsk(url) {
  const directive = await forbiddenWhile(async () => {
    await fetch(url, { method: "HEAD", mode: "no-cors", credentials: "omit", cache: "no-store" }).catch(() => {});
  });
  return directive ? policy(`to ask ${url.host}`, `${directive} ${url.origin}`) : null;
}

/**
 * @param {URL} url of a file that did not come.
 * @param {boolean} [asModule] whether it was to be run.
 * @returns {Promise<Failure | null>} null where there is no more to say than that it did not come.
 */
export async function refused(url, asModule = false) {
  if (url.protocol === "file:") {
    return new Failure("away", "A page opened from a file cannot load the model.", "Put the folder on a web server.");
  }
  const name = url.pathname.split("/").pop() || url.host;
  const enough = new AbortController();
  /** @type {Response | null} */
  let response = null;
  const directive = await forbiddenWhile(async () => {
    if (asModule) await import(`${url.href}?again`).catch(() => {});
    response = await fetch(url, { credentials: "omit", cache: "no-store", signal: enough.signal }).catch(() => null);
  });
  const { status, headers } = response ?? new Response();
  enough.abort(); // its head is enough
  if (directive) return policy(`to load ${name}`, `${directive} ${url.origin}`);
  if (!response) return null;
  if (status >= 400) {
    return new Failure(
      "strange",
      `The host does not give ${name} (HTTP ${status}).`,
      `Whoever runs it can upload the folder again, and let it send files ending in .${name.split(".").pop()}.`,
    );
  }
  const kind = headers.get("Content-Type") ?? "no type";
  if (asModule && !SCRIPT.test(kind)) {
    return new Failure(
      "strange",
      `The host sends ${name} as ${kind}, and browsers run no script of that kind.`,
      "Whoever runs it can send files ending in .js as text/javascript.",
    );
  }
  return null;
}

/**
 * Which part of the page did not come as it must.
 * @param {string} script address of the module that the page starts with.
 * @returns {Promise<string>} a sentence; empty where all come now.
 */
export async function missing(script) {
  const links = /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[rel=modulepreload]"));
  for (const src of [script, ...Array.from(links, ({ href }) => href)]) {
    const got = await fetch(src).catch(() => null);
    const kind = got?.headers.get("Content-Type") ?? "";
    if (got?.ok && SCRIPT.test(kind)) continue;
    const how = !got ? "did not come" : got.ok ? `came as ${kind}` : `is not there (HTTP ${got.status})`;
    return `A part of this page ${how}: ${src}. Reload the page; if it stays, tell whoever runs it.`;
  }
  return "";
}

/** @returns {Promise<Failure | null>} where a policy forbids the program that computes; else null. */
export async function forbidden() {
  try {
    await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the smallest there is; every browser takes it
    return null;
  } catch {
    return policy("the program that runs the model", "script-src 'wasm-unsafe-eval'");
  }
}

/**
 * @param {string} what
 * @param {string} rule
 */
function policy(what, rule) {
  return new Failure(
    "policy",
    `The policy of this site forbids ${what}.`,
    `Whoever runs it can allow that in its Content-Security-Policy: ${rule}`,
  );
}

/**
 * @param {() => Promise<void>} ask
 * @returns {Promise<string>} the rule that forbade something meanwhile; empty where none did.
 */
async function forbiddenWhile(ask) {
  let directive = "";
  /** @param {SecurityPolicyViolationEvent} event */
  const listen = ({ disposition, effectiveDirective }) => {
    if (disposition === "enforce") directive ||= effectiveDirective.replace("-elem", "");
  };
  document.addEventListener("securitypolicyviolation", listen);
  try {
    await ask();
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  } finally {
    document.removeEventListener("securitypolicyviolation", listen);
  }
  return directive;
}
