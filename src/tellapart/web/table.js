/** Answers as a CSV table: the one that `tellapart predict --csv` writes, sign for sign. */

// Signs that begin a formula, and separators within a cell: src/tellapart/data/spreadsheet.py is the same rule.
const FORMULA = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋";
const SEPARATORS = ",;\\t|\\r\\n\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029";
const DROPPED = '\\x20"\\0\\xa0\\u200b-\\u200f\\u2060\\ufeff';
const RUNS = `[${DROPPED}]*[${FORMULA}]|[\\t\\r]`;
const UNGUARDED = new RegExp(`^(?=${RUNS}|\\n)|([${SEPARATORS}])(?=${RUNS}|[${DROPPED}]*$)`, "gu");

/**
 * @param {{title: string, prediction: import("./types").Prediction}[]} answers
 * @param {string[]} classNames
 * @returns {string}
 */
export function asTable(answers, classNames) {
  const rows = answers.map(({ title, prediction }) => {
    const { answer, className, confidence, probs, error } = prediction;
    const shares = classNames.map((name) => (error ? "" : (probs.get(name) ?? 0).toFixed(6)));
    const why = error ? `${error.message} ${error.hint}`.trim() : "";
    return [title, answer ?? "", className ?? "", confidence?.toFixed(6) ?? "", why, ...shares];
  });
  const columns = ["photo", "answer", "class_name", "confidence", "error", ...classNames];
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string} text */
function cell(text) {
  return `"${guarded(text.toWellFormed()).replaceAll('"', '""')}"`;
}

/**
 * The text with an apostrophe before each formula in it, which spreadsheets then show and do not run.
 * @param {string} text
 */
export function guarded(text) {
  return text.replace(UNGUARDED, (_, separator) => `${separator ?? ""}'`);
}
