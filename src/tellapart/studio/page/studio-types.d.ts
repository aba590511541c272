/** What the server says and the page holds. */

export type Told = [label: string, none: boolean, out: boolean, right: string[], by: string, stack: string, test: boolean, gone: boolean];

export interface Common {
  n: number;
  classes: string[];
  undo: string | null;
  redo: string | null;
}

export interface Whole extends Common {
  name: string;
  kept_in: string;
  beside: boolean;
  notes: string[];
  unusable: [string, string][];
  enough_for_other: number;
  photos: [string, string, number, string, number, string, boolean, boolean, string[], string, string, boolean, boolean][];
}

/** What became of photos that were handed over at once. */
export interface Added {
  n_new: number;
  n_known: number;
  n_kept: number;
  n_left: number;
  classes: Record<string, number>;
  by_folder: boolean;
  folder: string;
  note: string;
}

/** A photo that was handed over: its identity, where it lay, and whether it is new. */
export type Handed = [id: string, path: string, isNew: boolean];

export interface Changes extends Common {
  left?: number;
  n_photos: number;
  photos: Record<string, Told>;
}

export interface Mark {
  label: string;
  none: boolean;
  out: boolean;
  right: string[];
  by: string;
  stack: string;
  test: boolean;
  gone: boolean;
}

export interface Photo extends Mark {
  id: string;
  name: string;
  folder: string;
  modified: number;
  split: string;
  copies: number;
  rank: number;
  saved: Mark;
  waiting: number;
}

export interface Filter {
  show: string;
  class: string;
  answer: string;
  folder: string;
  find: string;
  sort: string;
  like: string;
}

/** Photos that look alike, and what they may be. */
export interface Strip {
  label: string;
  sure: number;
  photos: string[];
}

/** Where a piece of work stands. */
export interface Job {
  number: number;
  do: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  stage: string;
  done: number;
  total: number;
  message: string;
  hint: string;
  result?: any;
}

/** One question about a photo or a pair. */
export interface Doubt {
  key: string;
  photos: string[];
  note: string;
  proposal: { do: "label" | "out"; photos: string[]; label?: string; out?: boolean } | null;
  beside: { label: string; photos: string[] }[];
}

export interface DoubtQueue {
  kind: string;
  title: string;
  sentence: string;
  advice: string;
  sure: string;
  n: number;
  rows: Doubt[];
}

/** What the model says of a photo that is tried. */
export interface Answer {
  answer: string;
  probs: Record<string, number>;
  looks_like: string | null;
  between?: string[];
  heatmap: string | null;
  alike: string[] | null;
}

export interface Share {
  value: number | null;
  low: number | null;
  high: number | null;
}

/** What `score` of the child finds, but for the answers about all photos. */
export interface Score {
  kind: string;
  headline: string;
  sentences: string[];
  accuracy: { value: number; low: number; high: number; n_right: number };
  n_test: number;
  n_train: number;
  n_lines: number;
  own: boolean;
  n_tested: number;
  least_tested: number;
  thinned: number;
  classes: string[];
  per_class: { class_name: string; n_train: number | null; n_test: number; recall: Share; precision: Share }[];
  tested: [id: string, label: number, answer: number, sure: number][];
  wrong: { photo: string; answer: number; sure: number; near: string[] }[];
  versions: { rows: Version[]; compared: string; again: string };
}

export interface Version {
  number: number;
  at: string;
  n_lines: number;
  kind: string;
  n_test: number;
  n_right: number;
  low: number;
  high: number;
  n_labelled: number;
  again?: boolean;
}
