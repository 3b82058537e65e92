/** ENOENT and the like, of what a system call threw. */
export function errno(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "no error code";
}
