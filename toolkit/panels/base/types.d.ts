// Types that more than one script speaks of. Nothing here is bundled.

/** What every anywidget host promises of a model, and no more. */
export interface Model {
  // biome-ignore lint/suspicious/noExplicitAny: what a trait holds is for the panel to say
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, act: () => void): void;
  off(event: string, act: () => void): void;
}

/** What a host calls `render` with. */
export interface Place {
  model: Model;
  el: HTMLElement;
}

/** What `render` gives back: called when the view goes away. */
export type Stop = () => void;

/** The options that take a listener away again. */
export interface On {
  signal: AbortSignal;
}

/** Binary values of a trait. */
export type Bytes = DataView<ArrayBuffer>;

export type Theme = "light" | "dark";
export type Rgb = [red: number, green: number, blue: number];
export type Palette = Record<Theme, Rgb[]>;

export type Head = [layer: number, head: number];
/** Row and column of a patch. */
export type Cell = [row: number, column: number];
/** An error: the true class and the one it is taken for. */
export type Pair = [truth: string, guess: string];

/** A key, or several, and what they do. */
export type Key = [keys: string, words: string];

/** One image of a row of thumbnails. */
export interface Tile {
  id: string;
  title: string;
  label: string;
  caption?: string;
}

/** How thumbnails lie on their sheet. */
export interface Sheet {
  columns: number;
  side: number;
}

/** A score of heads that can be chosen: a record of `tk.head_score`. */
export interface Score {
  name: string;
  label: string;
  /** "points" are shown as hundredths. */
  unit: string;
  /** Whether it is along a text that can be typed. */
  takes_text: boolean;
}

/** Accuracies of a group before and after. */
/** What becomes of a group. */
export interface RowAfter {
  after: number;
  /** Limits of the change. */
  low: number;
  high: number;
}

export interface GroupRow extends RowAfter {
  name: string;
  n: number;
  before: number;
  /** Whether it is of other images. */
  other?: boolean;
  /** Whether it sums up the groups. */
  sum?: boolean;
  /** Of the worst group: the images of that before, and of that after where it is another. */
  sizes?: string;
  /** What the folded model makes of it, where that is known. */
  folded?: number;
  /** What another edit makes of it, where there is one. */
  beside?: RowAfter;
}

/** A term and what it means. */
export interface Meaning {
  label: string;
  text: string;
}

/** A line of why a panel is there. */
export interface ReadingRow extends Meaning {
  /** What it is, for its look. */
  kind: string;
}

/** Why a panel is there. */
export interface Reading {
  rows: ReadingRow[];
  terms: Meaning[];
}

/** An image whose answer was turned. */
export interface Flip {
  id: string;
  group: string;
  /** From which class to which, in words. */
  change: string;
}

/** How many became right, and how many wrong. */
export interface HowMany {
  right: number;
  wrong: number;
}

/** Images that became right or wrong: the first of them, on a sheet. */
export interface FlipsSent extends Sheet {
  right: Flip[];
  wrong: Flip[];
  n: HowMany;
}

/** Images of a class taken for another. */
export interface MistakeRow {
  truth: string;
  guess: string;
  before: number;
  after: number;
}

/** True × predicted, before and after, flat; of many classes no matrix but the first mistakes of those found. */
export interface ErrorsSent {
  names: string[];
  before: number[];
  after: number[];
  rows?: MistakeRow[];
  /** How many there are. */
  of?: number;
  /** What was looked for. */
  find?: string;
}

/** A part of a cosine that no patch has. */
export interface Rest {
  name: string;
  value: number;
}

/** Of a picture, in its pixels. */
export interface Size {
  width: number;
  height: number;
}

/** A part of a picture, in its pixels. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A map over the patches of one image; empty where there is none. */
export interface PatchMap {
  /** The id of the image. */
  image: string;
  values: Bytes;
  /** Empty where a method knows no heads. */
  by_head: Bytes;
  grid: Cell;
  /** Of the picture. */
  size: Size;
  /** What of the picture the model saw. */
  box: Box;
  state: string;
  method: string;
  target: string;
  heads: string;
  minus: boolean;
  additive: boolean;
  scale: string;
  sum: number;
  left: number;
  total: number;
  rest: Rest[];
}

/** How maps over patches are to look. */
export interface Look {
  opacity: number;
  /** Cells as they are, not smoothed. */
  raw: boolean;
  /** The widest a picture may be, in pixels of the page. */
  wide: number;
  paper: string;
}
