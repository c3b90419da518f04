// What Python sends of heads that are off, and is told of them: the records of toolkit/labs/ablation_records.py.

import type { Head, Pair } from "../base/types.d.ts";

/** A head that is not as it is. */
export interface Off {
  head: Head;
  /** 0 is off, 1 as it is. */
  strength: number;
}

/** What the groups that are shown were worked out for. */
export interface OutcomeOf {
  off: Off[];
  how: string;
  effect: string;
}

/** What the map that is there was made for. */
export interface MapOf {
  score: string;
  pair: Pair | null;
  how: string;
  text: string;
}

/** Of the images. */
export interface ImageFacts {
  n: number;
  /** Left out, since they have another label. */
  left: number;
  split: string;
  /** Whether any are known. */
  groups: boolean;
  /** Whether the model can run. */
  live: boolean;
}

/** Of the images and of the numbers that are shown. */
export interface OffFacts extends ImageFacts {
  effect: string;
  /** null while none are. */
  shown: OutcomeOf | null;
}

/** How sure the map is, head by head; empty where its score has no interval. */
export interface Sure {
  low?: number[];
  high?: number[];
  /** The share of resamples in which a head is among the worst. */
  steady?: number[];
  /** Of the images, in words. */
  sizes?: string;
  /** How many are the worst. */
  top?: number;
}

/** Accuracies with 0, 1, … heads off. */
export interface OrderCurveSent {
  /** Of the worst group. */
  worst: number[];
  average: number[];
  /** Of random orders. */
  low: number[];
  high: number[];
  /** The heads, the worst first. */
  order: Head[];
  /** How many random ones. */
  orders: number;
}
