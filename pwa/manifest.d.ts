// What the server says of one version of the app's files: `/assets/manifest.json`.

/** A file under an address that changes with its content; `size` in bytes, unpacked. */
export type Asset = {
  url: string;
  size: number;
  /** Of the unpacked content, in hexadecimal digits; a former edition's manifest lacks it. */
  sha256?: string;
  /** Bytes on the wire, where the server knows. */
  packed?: number;
};

/** The device's Python in memory, with the app imported; `size` and `packed` are the sums of its parts. */
export type Image = {
  size: number;
  packed: number;
  /** Bytes on the wire of what a device need not wait for that takes it. */
  instead: number;
  /** Bytes on the wire of `pyodide.asm.wasm`: how long it takes says how quick a line is. */
  yardstick: number;
  parts: Asset[];
};

/** `fieldpost.pins.Pin` as devices know it. */
export type PinRule = {
  /** Characters. */
  least: number;
  /** Seconds without anybody. */
  idle_s: number;
  /** Wrong PINs; null: never. */
  wipe_after: number | null;
};

export type Manifest = {
  version: string;
  /** The key of memory snapshots: they hold Python and the app, not the shell. */
  python_version: string;
  app: string;
  app_version: string;
  pyodide: { base: string; files: Asset[] };
  /** The first of the wheels is micropip, which installs the others. */
  wheels: Asset[];
  shell: Asset[];
  /** Where the server has one. It is no part of the version: it may be ready later. */
  image?: Image | null;
  urls: Record<string, string>;
  /** Where the app has what is kept on devices sealed. */
  pin?: PinRule | null;
  html: string;
  headers: Record<string, string>;
  total_bytes: number;
};
