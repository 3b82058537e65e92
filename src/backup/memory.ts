/**
 * For the process that makes and unpacks archives, of glibc's malloc. As it comes it maps every buffer of a megabyte anew, and has
 * its pages zeroed one by one: a fifth of a restore's time (bench/backups.ts). With these, memory that was freed is used again.
 */
export const malloc_environment: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(64 << 20),
  MALLOC_TRIM_THRESHOLD_: String(256 << 20),
};

/** What a user's command gets of this process's environment. */
export function without_ours(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => malloc_environment[name] !== value),
  );
}
