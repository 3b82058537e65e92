// Makes /opt/leasehold for containers: what is in dist/, with a Node that is its own in every way, in a folder that is not there yet.
//
//   node tools/payload.ts FOLDER
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
  globSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { build } from "esbuild";
import pkg from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const [, , target] = process.argv;
if (target === undefined || existsSync(target)) {
  console.error(
    target === undefined ? "payload: a folder is missing" : `payload: ${target} is there already; remove it`,
  );
  process.exit(64);
}
/** Where it will be. */
const home = "/opt/leasehold";

const lib = join(target, "lib");
const licenses = join(target, "licenses");
for (const folder of [lib, licenses]) mkdirSync(folder, { recursive: true });
for (const name of ["leasehold", "leasehold.cjs", "controller.js", "controller.cache"])
  copyFileSync(join(root, "dist", name), join(target, name));

const node = join(target, "node");
copyFileSync(realpathSync(join(root, "dist/node")), node);
const libraries = needed_by(node);
for (const library of libraries) copyFileSync(realpathSync(library), join(lib, basename(library)));
const loader = libraries.find((library) => basename(library).startsWith("ld-linux"));
if (loader === undefined) throw new Error("payload: no loader among what node needs");
// In this order: what was put into a binary doesn't survive a strip.
run("strip", "--strip-all", node);
run("patchelf", "--set-interpreter", `${home}/lib/${basename(loader)}`, "--set-rpath", `${home}/lib`, node);
for (const name of ["node", "leasehold", `lib/${basename(loader)}`]) chmodSync(join(target, name), 0o755);

const bundled = await bundled_packages();
write_licenses();
writeFileSync(join(target, "sbom.cdx.json"), `${JSON.stringify(sbom(), null, 1)}\n`);

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`payload: ${command}: ${stderr}${error?.message ?? ""}`);
  return stdout;
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
  const [of_node] = globSync(join(root, "node_modules/node/node_modules/node-*/LICENSE"));
  if (of_node === undefined) throw new Error("payload: Node's LICENSE is missing");
  copyFileSync(of_node, join(licenses, "node"));
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
  for (const name of [...owners, "musl-dev"]) {
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
