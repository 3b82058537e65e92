import assert from "node:assert/strict";
import { test } from "node:test";
import { format_ready, parse_ready, type ReadyCheck } from "../../src/config/ready.ts";
import { refusal } from "./refusal.ts";

const at = (host: string, port: number) => ({ host, port });
const good: readonly (readonly [text: string, check: ReadyCheck | null, again?: string])[] = [
  ["none", null],
  ["tcp://127.0.0.1:9000", { how: "tcp", endpoint: at("127.0.0.1", 9000) }],
  [
    "http://localhost:8080/health?full=1",
    { how: "http", endpoint: at("localhost", 8080), path: "/health?full=1" },
  ],
  ["http://[::1]:1", { how: "http", endpoint: at("::1", 1), path: "/" }, "http://[::1]:1/"],
  ["https://a/b", { how: "https", endpoint: at("a", 443), path: "/b" }, "https://a:443/b"],
  [
    "postgres://127.0.0.1",
    { how: "postgres", endpoint: at("127.0.0.1", 5432), user: "postgres" },
    "postgres://127.0.0.1:5432",
  ],
  ["postgres://app@127.0.0.1:1", { how: "postgres", endpoint: at("127.0.0.1", 1), user: "app" }],
  ["mysql://127.0.0.1/", { how: "mysql", endpoint: at("127.0.0.1", 3306) }, "mysql://127.0.0.1:3306"],
  ["redis://127.0.0.1", { how: "redis", endpoint: at("127.0.0.1", 6379) }, "redis://127.0.0.1:6379"],
  ["mongodb://127.0.0.1", { how: "mongodb", endpoint: at("127.0.0.1", 27017) }, "mongodb://127.0.0.1:27017"],
  ["exec:curl -f http://x/", { how: "exec", command: "curl -f http://x/" }],
];
for (const [text, check, again = text] of good) {
  test(`${text} is read, and written again`, () => {
    assert.deepEqual(parse_ready(text, "it"), check);
    assert.equal(format_ready(check), again);
  });
}

const bad: readonly (readonly [text: string, sentence: RegExp])[] = [
  ["8080", /^78 it is "8080", which is no check; write none, or e\.g\. tcp:\/\/127\.0\.0\.1:9000, /],
  ["htp://h:1", /^78 it is "htp:\/\/h:1", whose scheme "htp" is unknown; did you mean http\?$/],
  ["grpc://h:1", /whose scheme "grpc" is unknown; it is one of tcp, http, https, postgres, .* and exec$/],
  ["tcp://h", /without a port; write e\.g\./],
  ["tcp://h:0", /"0" is no port from 1 to 65535/],
  ["tcp://:1", /a host is missing/],
  ["tcp://h:1/path", /with a path; leave all after the port out$/],
  ["http://h/a b", /whose path is none; begin it with \/, and write blanks as %20$/],
  ["redis://:secret@h:1", /which names a user; leave it out: nobody logs in/],
  ["postgres://u:secret@h:1", /which names a user/],
  ["exec:", /without a command; write exec:COMMAND$/],
];
for (const [text, sentence] of bad) {
  test(`${text} is refused`, async () =>
    assert.match(await refusal(() => parse_ready(text, "it")), sentence));
}
