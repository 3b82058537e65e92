// Makes /opt/leasehold for containers: what is in dist/, with a Node that is its own in every way, in a folder that is not there yet.
//
//   node tools/payload.ts [--arch arm64] FOLDER
//
// --arch: for another processor than this machine's, with Debian's cross compiler (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross). Without
// the code cache, which only that processor can make.
//
//   leasehold, leasehold.cjs, controller.js, controller.cache   as in dist/
//   node           stripped; its loader and libraries are those of lib/, so that the image may have others, or none
//   lib/           the loader and the libraries that node needs
//   licenses/      of all that is in here
//   sbom.cdx.json  CycloneDX: what is in here, in which version
//
// The loader's path is written into node, so the folder has to be /opt/leasehold where it is used.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import pkg from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  options: { arch: { type: "string", default: process.arch } },
  allowPositionals: true,
});
const [target] = positionals;
const is_cross = values.arch !== process.arch;
if (target === undefined) refuse("a folder is missing");
if (existsSync(target)) refuse(`${target} is there already; remove it`);
if (is_cross && values.arch !== "arm64")
  refuse(
    `for ${values.arch} there is no cross compiler here; --arch takes arm64, and ${process.arch} without one`,
  );

function refuse(because: string): never {
  console.error(`payload: ${because}`);
  process.exit(64);
}
/** Of binutils. */
const tool = (name: string): string => (is_cross ? `aarch64-linux-gnu-${name}` : name);
/** Where Debian has the libraries of the other processor. */
const cross_lib = "/usr/aarch64-linux-gnu/lib";
/** Where it will be. */
const home = "/opt/leasehold";

const lib = join(target, "lib");
const licenses = join(target, "licenses");
for (const folder of [lib, licenses]) mkdirSync(folder, { recursive: true });
for (const name of ["leasehold.cjs", "controller.js", ...(is_cross ? [] : ["leasehold", "controller.cache"])])
  copyFileSync(join(root, "dist", name), join(target, name));
if (is_cross)
  run(
    "env",
    "CC=aarch64-linux-gnu-gcc",
    "sh",
    join(root, "tools/guard.sh"),
    "release",
    join(realpathSync(target), "leasehold"),
  );

const node = join(target, "node");
const node_package = package_of_node();
copyFileSync(join(node_package, "bin/node"), node);
const libraries = is_cross ? cross_needed_by(node) : needed_by(node);
for (const library of libraries) copyFileSync(realpathSync(library), join(lib, basename(library)));
const loader = libraries.find((library) => basename(library).startsWith("ld-linux"));
if (loader === undefined) throw new Error("payload: no loader among what node needs");
// In this order: what was put into a binary doesn't survive a strip.
run(tool("strip"), "--strip-all", node);
run("patchelf", "--set-interpreter", `${home}/lib/${basename(loader)}`, "--set-rpath", `${home}/lib`, node);
for (const name of ["node", "leasehold", `lib/${basename(loader)}`]) chmodSync(join(target, name), 0o755);

const bundled = await bundled_packages();
write_licenses();
writeFileSync(join(target, "sbom.cdx.json"), `${JSON.stringify(sbom(), null, 1)}\n`);
if (is_cross) rmSync(dirname(node_package), { recursive: true });

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`payload: ${command}: ${stderr}${error?.message ?? ""}`);
  return stdout;
}

/** The npm package with the pinned Node: the installed one, or that of the other processor, fetched. */
function package_of_node(): string {
  if (!is_cross) {
    const installed = join(root, "node_modules/node/node_modules", `node-linux-${values.arch}`);
    if (existsSync(installed)) return installed;
    throw new Error(`payload: ${installed} is missing; run npm ci`);
  }
  const folder = mkdtempSync(join(tmpdir(), "leasehold-node-"));
  const name = `node-linux-${values.arch}@${pkg.dependencies.node}`;
  const file = run("npm", "pack", "--silent", "--pack-destination", folder, name).trim();
  run("tar", "-C", folder, "-xzf", join(folder, file));
  return join(folder, "package");
}

/** The same of a program of the other processor, which ldd can't load. */
function cross_needed_by(program: string): string[] {
  const found = new Set<string>();
  const left = [program];
  for (let one = left.pop(); one !== undefined; one = left.pop())
    for (const [, name = ""] of run(tool("readelf"), "-d", one).matchAll(/\(NEEDED\).*\[(.*)\]/g)) {
      const path = join(cross_lib, name);
      if (found.has(path)) continue;
      found.add(path);
      left.push(path);
    }
  return [...found];
}

/** Paths of the loader and of every library, also those that libraries need. */
function needed_by(program: string): string[] {
  const lines = run("ldd", program).split("\n");
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

type Package = { name: string; version: string; license: string; folder: string };

/** What esbuild puts into the bundle. */
async function bundled_packages(): Promise<Package[]> {
  const { metafile } = await build({
    ...{ absWorkingDir: root, bundle: true, platform: "node", format: "cjs", write: false, metafile: true },
    ...{ entryPoints: ["src/main.ts"], logLevel: "silent", define: { "import.meta.dirname": '""' } },
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [],
  );
  return [...new Set(folders)].toSorted().map((folder) => {
    const about: Readonly<Record<string, unknown>> = JSON.parse(
      readFileSync(join(root, folder, "package.json"), "utf8"),
    );
    const [name = "", version = "", license = ""] = [about.name, about.version, about.license].map(String);
    return { name, version, license, folder: join(root, folder) };
  });
}

function write_licenses(): void {
  copyFileSync(join(root, "LICENSE"), join(licenses, "leasehold"));
  for (const { name, folder } of bundled) {
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license", "LICENCE", "README.md"].find((one) =>
      existsSync(join(folder, one)),
    );
    if (file === undefined) throw new Error(`payload: ${name} has no licence`);
    copyFileSync(join(folder, file), join(licenses, name.replace("/", "+")));
  }
  // With those of all that is linked into it.
  copyFileSync(join(node_package, "LICENSE"), join(licenses, "node"));
  for (const [name] of debian_packages()) {
    const copyright = `/usr/share/doc/${name}/copyright`;
    if (existsSync(copyright)) copyFileSync(realpathSync(copyright), join(licenses, name));
  }
}

/** Of the libraries, and of musl, which is linked into the guard; none on other systems. */
function debian_packages(): Map<string, string> {
  const packages = new Map<string, string>();
  const look_up = (...args: string[]): string => spawnSync("dpkg-query", args, { encoding: "utf8" }).stdout;
  const owners = libraries.map((library) => {
    // Since /lib is a link to /usr/lib the list may have either.
    const real = join(realpathSync(dirname(library)), basename(library));
    const paths = [library, real, real.replace(/^\/usr/, "")];
    return paths.map((path) => look_up("-S", path).split(":")[0]).find((name) => name !== "");
  });
  for (const name of [...owners, ...(is_cross ? [] : ["musl-dev"])]) {
    const version = name === undefined ? "" : look_up("-W", "-f", "${Version}", name);
    if (name !== undefined && version !== "") packages.set(name, version);
  }
  return packages;
}

function sbom(): object {
  const npm = bundled.map(({ name, version, license }) => ({
    ...{ type: "library", name, version, purl: `pkg:npm/${name.replace("@", "%40")}@${version}` },
    licenses: [{ license: { id: license } }],
  }));
  const debian = [...debian_packages()].map(([name, version]) => ({
    ...{ type: "library", name, version, purl: `pkg:deb/debian/${name}@${version}` },
  }));
  const in_node = Object.entries(process.versions).flatMap(([name, version]) =>
    name === "node" || version === undefined ? [] : [{ type: "library", name, version }],
  );
  return {
    ...{ bomFormat: "CycloneDX", specVersion: "1.5", version: 1 },
    metadata: {
      component: {
        type: "application",
        name: pkg.name,
        version: pkg.version,
        licenses: [{ license: { id: pkg.license } }],
      },
    },
    components: [
      ...npm,
      ...debian,
      {
        type: "application",
        name: "node",
        version: process.versions.node,
        purl: `pkg:generic/node@${process.versions.node}`,
        components: in_node,
      },
    ],
  };
}
