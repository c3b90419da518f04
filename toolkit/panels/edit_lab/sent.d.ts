// What Python sends of edits, and what it is asked: the records of toolkit/labs/edit_records.py.

import type { Head, Pair } from "../base/types.d.ts";

/** Shares of an edit; null where there are no such images. */
export interface Measures {
  success: number | null;
  worst: number | null;
  like: number | null;
  locality: number | null;
  agreement: number | null;
}

/** Those of an edit that was kept, or of another method. */
export interface NamedMeasures extends Measures {
  name: string;
}

/** A head and the strength it was given. */
export interface SetByHand {
  head: Head;
  strength: number;
}

/** What an edit is made for. */
export interface SettingsSent {
  alpha: number;
  beta: number;
  steps: number;
  strategy: string;
  /** null: the checkpoint's. */
  scale: number | null;
  nonnegative: boolean;
  heads: Head[];
  pair: Pair | null;
  hold: SetByHand[];
}

/** What Python knows a visit by. */
export interface VisitPlace {
  alpha: number;
  beta: number;
  steps: number;
  /** Which of the planes in words: the other settings. */
  plane: number;
}

/** An edit that was looked at. */
export interface Visit extends VisitPlace, Measures {}

/** A cell of the grid over α and β. */
export interface GridPlace {
  alpha: number;
  beta: number;
}

/** Whether there is a way back, and one forward. */
export interface Ways {
  undo: boolean;
  redo: boolean;
}

/** How often a class was taken for another. */
export interface Mistakes {
  pair: Pair;
  n: number;
}

/** Every measure as a list; null where it is unknown. */
export interface Columns {
  success: (number | null)[];
  worst: (number | null)[];
  like: (number | null)[];
  locality: (number | null)[];
  agreement: (number | null)[];
}

/** The grid over α and β as it fills, with β running fastest. */
export interface FrontSent extends Columns {
  alphas: number[];
  betas: number[];
  of: SettingsSent;
}

/** The front of a strategy in one of the planes: at every level of x, the best y that its edits reach. */
export interface BandSent {
  strategy: string;
  /** The measures to the right and upwards. */
  across: keyof Measures;
  up: keyof Measures;
  x: number[];
  /** Means over draws, and the least and the most of them. */
  y: number[];
  low: number[];
  high: number[];
}

/** The fronts as far as they are there. */
export interface FrontsSent {
  /** With weights and strategy left open. */
  of: SettingsSent;
  draws: number;
  /** Draws in which nobody is wrong so. */
  left: number;
  bands: BandSent[];
}

/** What the folded model makes of every row. */
export interface FoldedSent {
  /** By the name of the row. */
  after: Record<string, number>;
  of: SettingsSent;
}

/** Strengths of heads. */
export interface StrengthsSent {
  heads: Head[];
  values: number[];
}

/** What another edit makes of a row. */
export interface RowBeside {
  after: number;
  /** Limits of the change. */
  low: number;
  high: number;
}

/** Another edit beside the one that is looked at. */
export interface BesideSent {
  of: SettingsSent;
  /** By the name of the row they stand beside. */
  rows: Record<string, RowBeside>;
  point?: Measures;
  strengths: StrengthsSent;
  /** Why there is none; "" where there is. */
  error: string;
}

/** How an edit went, at some of its steps. */
export interface CurveSent extends Columns {
  step: number[];
  /** The objective. */
  total: number[];
  of: SettingsSent;
}

/** Something an edit turned up or down. */
export interface Scaled {
  name: string;
  ratio: number;
}

/** A dimension an edit moved. */
export interface Moved {
  dimension: number;
  by: number;
}

/** Shares of the three terms in the pull on θ. */
export interface Pulls {
  ce: number;
  success: number;
  locality: number;
}

/** What an edit did; each part only once it is known. */
export interface EditWords {
  pulls?: Pulls;
  /** Of the attainable fall, what is left. */
  gap?: number | null;
  /** Dimensions below zero. */
  negative?: number | null;
  moved?: Moved[];
  /** Texts turned down, and up. */
  down?: Scaled[];
  up?: Scaled[];
  heads?: Scaled[];
  /** What it is, where it scales heads or moves class vectors, a line each. */
  made?: string[];
}

/** What the edit is made from and measured on. */
export interface EditFacts {
  /** Images it is measured on. */
  n: number;
  split: string;
  /** Whether they are those it is made from. */
  own: boolean;
  /** Images left out, since it is made from them. */
  used: number;
  /** Images left out, since they have other labels. */
  left: number;
  /** Classes it is for. */
  targets: string[];
  /** Whether other classes are held out. */
  others: boolean;
  /** Images it is made from, */
  made: number;
  /** and their split. */
  made_split: string;
  /** Logit scale of the checkpoint. */
  scale: number;
  /** Heads of a layer. */
  heads: number;
}
