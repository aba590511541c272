/** What the server says and the page holds. */

export type Told = [label: string, none: boolean, out: boolean];

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
  photos: [string, string, number, string, number, string, boolean, boolean][];
}

export interface Changes extends Common {
  photos: Record<string, Told>;
}

export interface Mark {
  label: string;
  none: boolean;
  out: boolean;
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
  folder: string;
  find: string;
  sort: string;
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
