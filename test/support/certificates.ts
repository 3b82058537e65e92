// Certificates for a test, made with openssl.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Paths and contents, PEM. */
export type Certificate = { cert_file: string; key_file: string; cert: string; key: string };

/** An authority of its own, and what it signs. Removed after the test. */
export class Authority {
  readonly folder: string;
  readonly ca: Certificate;

  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), "leasehold-certificates-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    this.ca = this.#made("ca", ["-x509", "-subj", "/CN=authority of a test", "-days", "2"]);
  }

  /** names: such as "IP:127.0.0.1" or "DNS:example.org". */
  sign(name: string, names: string): Certificate {
    const signing = ["-CA", this.ca.cert_file, "-CAkey", this.ca.key_file];
    const extensions = [
      "-addext",
      `subjectAltName=${names}`,
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ];
    return this.#made(name, ["-x509", "-subj", "/O=test", "-days", "2", ...signing, ...extensions]);
  }

  #made(name: string, args: readonly string[]): Certificate {
    const cert_file = join(this.folder, `${name}.crt`);
    const key_file = join(this.folder, `${name}.key`);
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", ["req", ...curve, "-keyout", key_file, "-out", cert_file, ...args], {
      stdio: "pipe",
    });
    return {
      cert_file,
      key_file,
      cert: readFileSync(cert_file, "utf8"),
      key: readFileSync(key_file, "utf8"),
    };
  }
}
