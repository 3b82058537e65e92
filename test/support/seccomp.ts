import { readFileSync } from "node:fs";
import { arch, release } from "node:os";
import { join } from "node:path";

type Condition = { caps?: string[]; arches?: string[]; minKernel?: string };
type Rule = {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: unknown[] | null;
  includes?: Condition;
  excludes?: Condition;
};
type Profile = {
  defaultAction: string;
  archMap: { architecture: string; subArchitectures: string[] | null }[];
  syscalls: Rule[];
};

/** What an OCI runtime takes as linux.seccomp. */
export type Seccomp = { defaultAction: string; architectures: string[]; syscalls: object[] };

/**
 * Docker's default profile as Docker hands it to the runtime, for a container with these capabilities. Podman's,
 * which Debian has as a file, is no replacement: it allows clone3, mount, setns and unshare, which Docker refuses.
 *
 * test/fixtures/docker-seccomp.json is profiles/seccomp/default.json of Docker 20.10.24, unchanged but for its layout:
 * Copyright 2012-2017 Docker, Inc., Apache-2.0, https://github.com/moby/moby.
 */
export function docker_seccomp(capabilities: readonly string[]): Seccomp {
  const file = join(import.meta.dirname, "../fixtures/docker-seccomp.json");
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  const [go, seccomp] = arch() === "arm64" ? ["arm64", "SCMP_ARCH_AARCH64"] : ["amd64", "SCMP_ARCH_X86_64"];
  const own = profile.archMap.find(({ architecture }) => architecture === seccomp);

  const included = ({ caps = [], arches = [go], minKernel = "0.0" }: Condition): boolean =>
    caps.every((cap) => capabilities.includes(cap)) && arches.includes(go) && kernel_is(minKernel);
  const excluded = ({ caps = [], arches = [], minKernel }: Condition): boolean =>
    caps.some((cap) => capabilities.includes(cap)) ||
    arches.includes(go) ||
    (minKernel !== undefined && kernel_is(minKernel));

  return {
    defaultAction: profile.defaultAction,
    architectures: [seccomp, ...(own?.subArchitectures ?? [])],
    syscalls: profile.syscalls
      .filter(({ includes = {}, excludes = {} }) => included(includes) && !excluded(excludes))
      .map(({ names, action, errnoRet, args }) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(args ? { args } : {}),
      })),
  };
}

/** At least this version. */
function kernel_is(wanted: string): boolean {
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  const [want_major = 0, want_minor = 0] = wanted.split(".").map(Number);
  return major > want_major || (major === want_major && minor >= want_minor);
}
