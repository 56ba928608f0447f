// What the server says of one version of the app's files: `/assets/manifest.json`.

/** A file under an address that changes with its content; `size` in bytes, unpacked. */
export type Asset = {
  url: string;
  size: number;
  /** Of the unpacked content, in hexadecimal digits; a former edition's manifest lacks it. */
  sha256?: string;
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
  urls: Record<string, string>;
  /** Where the app has what is kept on devices sealed. */
  pin?: PinRule | null;
  html: string;
  headers: Record<string, string>;
  total_bytes: number;
};
