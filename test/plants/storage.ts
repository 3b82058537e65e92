// Defects for the volume's checks, its watch and the attach, each with the test that has to find it.

type StoragePlant = {
  what: string;
  /** Below src/. */
  file: string;
  from: string;
  to: string;
  /** Below test/. */
  test: string;
  /** Begins the test's name. */
  name: string;
};

export const storage_plants: readonly StoragePlant[] = [
  {
    what: "a directory where nothing is mounted passes",
    file: "storage/report.ts",
    from: "if (nowhere && identity?.directory !== true) {",
    to: "if (false) {",
    test: "storage/check.test.ts",
    name: "a directory that was labelled",
  },
  {
    what: "a plain directory passes for what a type requires",
    file: "storage/report.ts",
    from: "  if (mount === undefined) return null;",
    to: "  if (mount === undefined || nowhere) return null;",
    test: "cli/volume.test.ts",
    name: "a plain directory needs",
  },
  {
    what: "another volume passes",
    file: "storage/report.ts",
    from: "if (expected !== null && decoded.id !== expected)",
    to: "if (false)",
    test: "storage/check.test.ts",
    name: "an unmounted directory, another volume",
  },
  {
    what: "a volume that was emptied is labelled anew",
    file: "storage/report.ts",
    from: '    if (expected !== null)\n      return [\n        "wrong",\n        `has no identity, and has to be',
    to: '    if (false)\n      return [\n        "wrong",\n        `has no identity, and has to be',
    test: "storage/check.test.ts",
    name: "an unmounted directory, another volume",
  },
  {
    what: "an identity that can't be read is taken for none",
    file: "storage/report.ts",
    from: 'if (typeof decoded === "string")',
    to: "if (false)",
    test: "storage/check.test.ts",
    name: "an identity that is torn",
  },
  {
    what: "any type passes",
    file: "storage/report.ts",
    from: "if (!is_of_type(mount, types))",
    to: "if (false)",
    test: "storage/check.test.ts",
    name: "another type, source or option",
  },
  {
    what: "a missing mount option passes",
    file: "storage/report.ts",
    from: "if (missing.length > 0)",
    to: "if (false)",
    test: "storage/check.test.ts",
    name: "another type, source or option",
  },
  {
    what: "PostgreSQL's data at the mount point passes",
    file: "storage/report.ts",
    from: 'if (names?.includes("PG_VERSION") === true)',
    to: "if (false)",
    test: "storage/check.test.ts",
    name: "PostgreSQL's data",
  },
  {
    what: "a copy beside the volume passes",
    file: "storage/copies.ts",
    from: "  return (\n    one.root === other.root &&",
    to: "  return (\n    true ||\n    one.root === other.root &&",
    test: "storage/check.test.ts",
    name: "a copy of the volume",
  },
  {
    what: "a daemon that has ended is a hang",
    file: "storage/verdict.ts",
    from: '  ENOTCONN: "gone",',
    to: '  ENOTCONN: "hung",',
    test: "storage/verdict.test.ts",
    name: "errors:",
  },
  {
    what: "one miss more than allowed",
    file: "storage/verdict.ts",
    from: "misses + 1 >= probe.misses",
    to: "misses >= probe.misses",
    test: "storage/verdict.test.ts",
    name: "one late answer",
  },
  {
    what: "an unmount waits for the next look",
    file: "storage/watch.ts",
    from: "  if (now === undefined)\n",
    to: "  if (false)\n",
    test: "storage/watch.test.ts",
    name: "unmounted, also lazily",
  },
  {
    what: "a hang ends the looks",
    file: "storage/watch.ts",
    from: "    if (report.left) void this.#count(report.left);",
    to: "    if (report.left) await report.left.then(() => new Promise(() => {}));",
    test: "storage/watch.test.ts",
    name: "a hang: lost",
  },
  {
    what: "what can't be killed isn't counted",
    file: "storage/watch.ts",
    from: "    if (report.left) void this.#count(report.left);",
    to: "",
    test: "storage/watch.test.ts",
    name: "looks that can't be killed",
  },
  {
    what: "the second one to label a volume overwrites the first",
    file: "storage/label.ts",
    from: '{ do: "create", temporary, path: file, content }',
    to: '{ do: "write", path: file, content }',
    test: "storage/check.test.ts",
    name: "of two who label",
  },
  {
    what: "a restored volume counts on where its snapshot stood",
    file: "cli/volume.ts",
    from: "highest_claim(scene) + jump",
    to: "highest_claim(scene) + 1n",
    test: "cli/volume.test.ts",
    name: "a restored volume",
  },
  {
    what: "data is labelled without being asked for",
    file: "cli/volume.ts",
    from: "if (!report.empty && !adopt",
    to: "if (false && !adopt",
    test: "cli/volume.test.ts",
    name: "a volume that holds data",
  },
  {
    what: "a damaged file system is mounted",
    file: "storage/fsck.ts",
    from: "if (code <= 1) return null;",
    to: "if (code <= 7) return null;",
    test: "storage/attach.test.ts",
    name: "damage that is safe",
  },
  {
    what: "a step that fails leaves the device attached",
    file: "storage/attach.ts",
    from: "const undone = await this.detach(job);",
    to: "const undone = done;",
    test: "storage/attach.test.ts",
    name: "a step that fails",
  },
  {
    what: "the device is detached below a mount",
    file: "storage/attach.ts",
    from: "if (unmounted.failure !== null) return unmounted;",
    to: "",
    test: "storage/attach.test.ts",
    name: "what is in use stays",
  },
  {
    what: "a volume is mounted over what an earlier run has left",
    file: "storage/attach.ts",
    from: "    if (this.#mount() !== undefined) {\n      // Ours",
    to: "    if (false) {\n      // Ours",
    test: "storage/attach.test.ts",
    name: "what an earlier run",
  },
];
