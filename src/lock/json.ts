// What others wrote, read without trust: what isn't an object is an empty one.

export type Json = { [key: string]: unknown };

/** {} for what isn't an object, or no JSON at all. */
export function parse_json(text: string): Json {
  try {
    return json_of(JSON.parse(text));
  } catch {
    return {};
  }
}

export function json_of(value: unknown): Json {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
