import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { escape_field, expand, split_fields, type Templates } from "../../src/config/fields.ts";
import { describe_size, format_size, parse_size } from "../../src/config/sizes.ts";
import {
  default_probe,
  format_volume,
  parse_volume,
  plain_volume,
  read_volumes,
  type VolumeRequirement,
} from "../../src/config/volume.ts";
import { refusal } from "./refusal.ts";

const templates: Templates = { node: "db-2", env: { ZONE: "a,b", EMPTY: "" } };
const read = (...texts: string[]): VolumeRequirement[] =>
  read_volumes(
    texts.map((text) => parse_volume(text, "--volume")),
    templates,
  );

test("a path alone requires a volume there, and has the defaults", () => {
  assert.deepEqual(read("/data/"), [plain_volume("/data")]);
  assert.deepEqual(plain_volume("/data").probe, { every_ms: 5000, limit_ms: 3000, misses: 2 });
});

test("every key is read", () => {
  const id = "6f1c1b0e-0c4e-4b7e-9f50-0a8a4b8c6f01";
  const text = `/data,type=nfs+nfs4,source=nas1:/export/*,id=${id.toUpperCase()},options=noatime+vers=4.1,min-free=1.5GiB,probe=1s/500ms×3,view-age=2s,on-read-only=kill,on-full=warn`;
  const expected: VolumeRequirement = {
    path: "/data",
    types: ["nfs", "nfs4"],
    source: "nas1:/export/*",
    id,
    options: ["noatime", "vers=4.1"],
    min_free_bytes: 1.5 * 2 ** 30,
    view_age_ms: 2000,
    probe: { every_ms: 1000, limit_ms: 500, misses: 3 },
    on_read_only: "kill",
    on_full: "warn",
  };
  assert.deepEqual(read(text), [expected]);
  assert.deepEqual(read("/data,probe=1s/500ms/3")[0]?.probe, expected.probe);
});

test("templates are filled in, and what they stand for is taken as it is", () => {
  const [volume] = read("/data/{node}/{slot},source=ceph{env:ZONE}\\,\\{x\\}");
  assert.equal(volume?.path, "/data/db-2/2");
  assert.equal(volume.source, "cepha,b,{x}");
});

const bad: readonly (readonly [what: string, texts: readonly string[], sentence: RegExp])[] = [
  ["a relative path", ["data"], /^78 --volume "data" has the relative path "data"; write it from \/ on$/],
  ["..", ["/a/../b"], /has \. or \.\. in its path; write the path that it leads to$/],
  [".", ["/a/./b"], /has \. or \.\. in its path/],
  ["//", ["//a"], /has \/\/ in its path; leave one out$/],
  ["the root", ["/"], /is the root file system itself; name the mount point of the volume$/],
  ["a control character", ["/a\nb"], /has a control character in its path/],
  ["a path that is too long", [`/${"a".repeat(1000)}`], /more than 1000 bytes; shorten it$/],
  ["no path", [",type=nfs"], /has no path; write e\.g\. \/data,type=nfs4$/],
  [
    "an unknown key",
    ["/a,typ=nfs"],
    /^78 --volume "\/a,typ=nfs" has the unknown key "typ"; did you mean type\?$/,
  ],
  ["a key like none", ["/a,colour=red"], /the unknown key "colour"; it is one of type, source, id, /],
  ["a key of Object", ["/a,constructor=1"], /the unknown key "constructor"/],
  ["a key without value", ["/a,type"], /has no value for type; write type=…$/],
  ["a comma too many", ["/a,type=nfs,nfs4"], /the unknown key "nfs4"/],
  ["a key twice", ["/a,type=nfs,type=nfs4"], /has type twice; write type=nfs\+nfs4 to allow both$/],
  ["a wrong type", ["/a,type=nfs|nfs4"], /has the type "nfs\|nfs4"; write e\.g\. type=nfs4/],
  ["a wrong id", ["/a,id=1"], /has the id "1"; leasehold volume show PATH prints it$/],
  ["an empty option", ["/a,options=ro++rw"], /has an empty mount option/],
  [
    "a size without unit",
    ["/a,min-free=10"],
    /^78 min-free of --volume "\/a,min-free=10" is "10", without a unit; /,
  ],
  [
    "a view that is too old",
    ["/a,view-age=11m"],
    /^78 --volume "\/a,view-age=11m" has view-age=11m, and every take-over would wait .*, at most 600s$/,
  ],
  ["x for ×", ["/a,probe=5s/3sx2"], /has probe=5s\/3sx2, without the sign ×; write 5s\/3s×2, or 5s\/3s\/2$/],
  ["* for ×", ["/a,probe=5s/3s*2"], /write 5s\/3s×2, or 5s\/3s\/2$/],
  ["a probe without limit", ["/a,probe=5s"], /which is no EVERY\/LIMIT×MISSES; write e\.g\. probe=5s\/3s×2$/],
  ["a probe without unit", ["/a,probe=5/3s×2"], /the interval in probe= of .* is "5", without a unit/],
  ["a probe too often", ["/a,probe=1ms/3s×2"], /probes too often/],
  ["a probe without time", ["/a,probe=5s/0×2"], /leaves no time for an answer/],
  ["a probe that never fails", ["/a,probe=5s/3s×0"], /never is a loss; count 1 miss or more$/],
  [
    "a wrong reaction",
    ["/a,on-full=stopp"],
    /has on-full=stopp, which is none of stop, kill, warn; did you mean stop\?$/,
  ],
  [
    "one volume twice",
    ["/a", "/a/"],
    /^78 --volume "\/a\/" is there twice, as "\/a"; give each volume once$/,
  ],
  [
    "one below another",
    ["/a", "/a/b"],
    /and "\/a": "\/a\/b" lies below "\/a"; require volumes that are mounted beside/,
  ],
  ["one above another", ["/a/b", "/a"], /"\/a\/b" lies below "\/a"/],
  ["too many", Array.from({ length: 17 }, (_, i) => `/v${i}`), /is one too many; give at most 16$/],
  [
    "too long together",
    ["/b", "/c"].map((path) => path + "d".repeat(990)).concat(`/e${"f".repeat(90)}`),
    /paths have 2\d+ bytes together/,
  ],
  ["an unknown template", ["/a/{nod}"], /has the unknown template "\{nod\}"; did you mean \{node\}\?$/],
  ["a template like none", ["/a/{colour}"], /known are \{node\}, \{slot\} and \{env:NAME\}$/],
  ["an open template", ["/a/{node"], /has "\{node" without its \}; close it/],
  ["an unset variable", ["/a,source={env:NONE}"], /has \{env:NONE\}, and that variable isn't set; set it$/],
  ["an empty variable", ["/a,source={env:EMPTY}"], /has an empty source/],
  ["a path from an empty variable", ["{env:EMPTY}"], /has the relative path ""/],
  ["a backslash at the end", ["/a\\"], /ends with a backslash/],
];
for (const [what, texts, sentence] of bad) {
  test(`${what} is refused`, async () => {
    const sentence_said = await refusal(() => read(...texts));
    assert.match(sentence_said, sentence);
    assert.ok(!sentence_said.includes("\n"));
  });
}

test("no slot without a number at the end of the node", async () => {
  const text = parse_volume("/a/{slot}", "it");
  assert.match(
    await refusal(() => read_volumes([text], { node: "db", env: {} })),
    /has \{slot\}, and the node "db" ends with no number; give --node, e\.g\. db-0$/,
  );
});

const name = fc.stringMatching(/^[\w .,;{}\\+-]{1,12}$/).filter((text) => !/^\.{1,2}$/.test(text));
const plain = fc.stringMatching(/^[\w.=:-]{1,12}$/);
const volume: fc.Arbitrary<VolumeRequirement> = fc.record(
  {
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`),
    types: fc.array(fc.stringMatching(/^[\w.-]{1,8}$/), { maxLength: 3 }),
    source: fc.option(fc.stringMatching(/^[^\0]{1,20}$/)),
    id: fc.option(fc.uuid()),
    options: fc.array(plain, { maxLength: 3 }),
    min_free_bytes: fc.option(fc.nat(2 ** 40)),
    view_age_ms: fc.option(fc.nat(100_000)),
    probe: fc.record(
      {
        every_ms: fc.integer({ min: 100, max: 100_000 }),
        limit_ms: fc.integer({ min: 10, max: 100_000 }),
        misses: fc.integer({ min: 1, max: 100 }),
      },
      { noNullPrototype: true },
    ),
    on_read_only: fc.constantFrom("stop", "kill", "warn"),
    on_full: fc.constantFrom("stop", "kill", "warn"),
  },
  { noNullPrototype: true },
);

test("what is written is read as the same again", () => {
  fc.assert(fc.property(volume, (one) => assert.deepEqual(read(format_volume(one)), [one])));
  assert.equal(format_volume(plain_volume("/data")), "/data,probe=5s/3s×2");
  assert.deepEqual(plain_volume("/data").probe, default_probe);
});

test("a field comes through escaping, splitting and expanding", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), fc.constantFrom(",", ";"), (fields, separator) => {
      const parts = split_fields(fields.map(escape_field).join(separator), separator);
      assert.deepEqual(
        parts.map((part) => expand(part, templates, "it")),
        fields,
      );
    }),
  );
});

test("sizes have units, and are written exactly", async () => {
  for (const [text, bytes] of [
    ["0", 0],
    ["1B", 1],
    ["500MB", 5e8],
    ["1.5gib", 1.5 * 2 ** 30],
    ["10kb", 10_000],
  ] as const) {
    assert.equal(parse_size(text, "it"), bytes);
  }
  for (const [text, sentence] of [
    ["5G", /^78 it is "5G", which is no size; did you mean 5GB\?$/],
    ["-5GB", /negative/],
    ["5 GB", /no size; write e\.g\. 500MB/],
    ["", /no size/],
    ["9999999TiB", /more than 8 PiB/],
  ] as const) {
    assert.match(await refusal(() => parse_size(text, "it")), sentence);
  }
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => assert.equal(parse_size(format_size(bytes), "it"), bytes)),
  );
  assert.deepEqual([0, 999, 1500, 1_234_567_890].map(describe_size), ["0 B", "999 B", "1.5 kB", "1.23 GB"]);
});
