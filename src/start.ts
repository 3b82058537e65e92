// The program that Node is given. It runs the controller out of V8's code cache, which saves compiling it (docs/decisions/0017).
// Where the cache doesn't fit (another Node, another processor), is not there, or is not whole, the controller is compiled.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import { crc32 } from "node:zlib";

export type Controller = {
  run: () => void;
  /** What ran when the cache was made needn't be compiled. */
  from_cache: boolean;
  /** What dist/controller.cache holds: what has run until now is in it. */
  make_cache: () => Buffer;
};

/** The controller of this folder, dist/ or where it was installed. */
export function load(folder: string): Controller {
  const path = join(folder, "controller.js");
  const source = readFileSync(path);
  const cachedData = read_cache(join(folder, "controller.cache"), source);
  // It is ASCII: V8 keeps it with a byte a character.
  const script = new Script(source.toString("latin1"), { filename: path, ...(cachedData && { cachedData }) });
  const run: (require: (name: string) => unknown) => void = script.runInThisContext();
  return {
    run: () => run((name) => process.getBuiltinModule(name)),
    from_cache: script.cachedDataRejected === false,
    make_cache() {
      const cache = script.createCachedData();
      return Buffer.concat([Buffer.from(head_of(source, cache)), cache]);
    },
  };
}

/** undefined: none that fits. */
function read_cache(path: string, source: Uint8Array): Uint8Array | undefined {
  try {
    const file = readFileSync(path);
    const begin = file.indexOf("\n") + 1;
    const cache = file.subarray(begin);
    return file.toString("latin1", 0, begin) === head_of(source, cache) ? cache : undefined;
  } catch {
    return undefined;
  }
}

/** The first line. V8 itself looks at its version and flags, and at the length of the source, and trusts all else. */
function head_of(source: Uint8Array, cache: Uint8Array): string {
  const sums = [source, cache].map((bytes) => crc32(bytes).toString(16).padStart(8, "0"));
  return `${process.versions.v8} ${process.arch} ${sums.join(" ")}\n`;
}

if (import.meta.main) load(import.meta.dirname).run();
