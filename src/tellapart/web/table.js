/** Answers as a CSV table, as `tellapart predict --csv` writes it; what is wrong with a photo is in the page's words. */

// Signs that begin a formula, and separators within a cell: src/tellapart/data/spreadsheet.py is the same rule.
const FORMULA = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋";
const SEPARATORS = ",;\\t|\\r\\n\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029";
const DROPPED = '\\x20"\\0\\xa0\\u200b-\\u200f\\u2060\\ufeff';
const RUNS = `[${DROPPED}]*[${FORMULA}]|[\\t\\r]`;
const OF_A_PHOTO = ["photo", "answer", "class_name", "confidence", "error"];
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
  const columns = [...OF_A_PHOTO, ...classColumns(classNames)];
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/**
 * A column's name for each class: its own, but with "p_" before all where one would stand there twice.
 * src/tellapart/cli/output.py is the same rule.
 * @param {string[]} classNames
 * @returns {string[]}
 */
export function classColumns(classNames) {
  for (const prefix of ["", "p_"]) {
    const columns = classNames.map((name) => prefix + name);
    const alike = [...OF_A_PHOTO, ...columns].map((name) => guarded(name).trim().toUpperCase().toLowerCase());
    if (new Set(alike).size === alike.length) return columns;
  }
  return classNames.map((name, i) => `p_${i + 1}_${name}`);
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
