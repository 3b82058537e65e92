import { Failure } from "../../src/errors.ts";

/** The exit code and sentence with which something is refused; any other error is thrown on. */
export async function refusal(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (error instanceof Failure) return `${error.exitCode} ${error.message}`;
    throw error;
  }
  return "not refused";
}
