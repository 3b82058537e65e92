// The check of a file system before it is mounted. Pure.

/** What repairs all that is safe to repair without asking. null: that file system does it itself when it is mounted. */
export function fsck_command({
  device,
  fstype,
}: {
  device: string;
  fstype: string;
}): readonly string[] | null {
  switch (fstype) {
    case "ext2":
    case "ext3":
    case "ext4":
      return [`fsck.${fstype}`, "-p", "-C", "1", device];
    case "vfat":
    case "f2fs":
      return [`fsck.${fstype}`, "-a", device];
    default:
      return null;
  }
}

/** The worst first. 1, errors were corrected, is no reason. */
const bad: readonly (readonly [bit: number, what: string, remedy: string])[] = [
  [
    4,
    "it left errors that it may not correct by itself",
    "correct them by hand, with nobody using the device",
  ],
  [2, "it corrected errors, and the machine has to be rebooted before the mount", "reboot it"],
  [8, "it could not be carried out", "see that the device is there, and in use nowhere"],
  [16, "its command line is wrong", "correct --fsck"],
  [32, "it was interrupted", "start again"],
  [128, "a shared library of it is missing", "reinstall it"],
];

/** Why the file system may not be mounted; null: it may. The exit code is a sum, as fsck(8) has it. */
export function refusal_of(code: number): string | null {
  if (code <= 1) return null;
  const [, what, remedy] = bad.find(([bit]) => (code & bit) !== 0) ?? bad[2] ?? [];
  return `${what} (code ${code}); ${remedy}`;
}
