// Builds dist/, whose layout is that of /opt/leasehold in an image: the guard finds the others beside itself.
//
//   leasehold          the guard
//   leasehold.cjs      what it gives to Node: loads the controller (src/start.ts)
//   controller.js      the controller, one file
//   controller.cache   what V8 makes of it, for this Node and processor
//   node               a link to the pinned Node
//
// With --sanitize it also builds leasehold-asan.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
mkdirSync(dist, { recursive: true });

/** CommonJS starts faster than modules do. A stack in a bug report keeps its names, and says where in not too long a line. */
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 200,
  logLevel: "warning",
} as const;

/** Half of the start's time would be for modules that it doesn't use: of these commander takes one function, if it ever does. */
const lazy: Plugin = {
  name: "lazy",
  setup(builder) {
    builder.onResolve({ filter: /^node:child_process$/ }, ({ importer, path }) =>
      importer.includes("/commander/") ? { path, namespace: "lazy" } : null,
    );
    // pino's transports are threads, and ours are none (src/ops/log.ts): there is the main one only.
    for (const [module, from, contents] of [
      [
        "thread-stream",
        "/pino/",
        "module.exports = class { constructor() { throw new Error('no transports'); } };",
      ],
      ["worker_threads", "/pino/", "module.exports = { isMainThread: true };"],
      [
        "assert",
        "/sonic-boom/",
        "module.exports = (...args) => process.getBuiltinModule('assert')(...args);",
      ],
    ] as const) {
      builder.onResolve({ filter: new RegExp(`^(node:)?${module}$`) }, ({ importer, path }) =>
        importer.includes(from) ? { path, namespace: module } : null,
      );
      builder.onLoad({ filter: /.*/, namespace: module }, () => ({ contents }));
    }
    builder.onLoad({ filter: /.*/, namespace: "lazy" }, ({ path }) => ({
      contents: `module.exports = { get spawn() { return process.getBuiltinModule("${path}").spawn; } };`,
    }));
  },
};

rmSync(join(dist, "controller.cache"), { force: true });
await build({
  ...common,
  entryPoints: ["src/main.ts"],
  outfile: "dist/controller.js",
  banner: { js: "(function (require) {" },
  footer: { js: "})" },
  // What only the sources ask for, to find each other.
  define: { "import.meta.dirname": '""' },
  plugins: [lazy],
});
refuse_non_ascii("dist/controller.js");
await build({
  ...common,
  entryPoints: ["src/start.ts"],
  outfile: "dist/leasehold.cjs",
  define: { "import.meta.dirname": "__dirname", "import.meta.main": "true" },
});

rmSync(join(dist, "node"), { force: true });
symlinkSync("../node_modules/node/bin/node", join(dist, "node"));

guard("release", "dist/leasehold");
rehearse();
if (process.argv.includes("--sanitize")) guard("sanitize", "dist/leasehold-asan");

function guard(mode: string, out: string): void {
  const { status } = spawnSync("sh", [join(root, "tools/guard.sh"), mode, out], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

/** Without the cache all works, and starts slower: so this fails when the guard is one for another processor. */
function rehearse(): void {
  const args = ["guard", join(dist, "node"), join(root, "tools/rehearse.ts"), dist, "--", "true"];
  const { status, stderr } = spawnSync(join(dist, "leasehold"), args, { encoding: "utf8", timeout: 60_000 });
  if (status !== 0) console.error(`build: there will be no code cache: ${stderr}`);
}

/** src/start.ts reads it a byte a character. esbuild escapes what isn't ASCII in strings, and not in regular expressions. */
function refuse_non_ascii(file: string): void {
  const text = readFileSync(join(root, file), "latin1");
  // oxlint-disable-next-line no-control-regex -- ASCII is meant
  const found = /.{0,40}[^\u0000-\u007f]/.exec(text)?.[0];
  if (found === undefined) return;
  console.error(
    `${file} is not ASCII, at ${JSON.stringify(found)}: write \\u00d7 for × in that regular expression`,
  );
  process.exit(1);
}
