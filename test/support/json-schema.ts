// As much of JSON Schema as Marathon's own needs. Says where a value breaks it.

type Schema = Readonly<Record<string, unknown>>;

export function breaks(value: unknown, schema: Schema, root: Schema = schema, at = "it"): string[] {
  const of = (part: unknown, one: unknown, where = at): string[] => breaks(one, part as Schema, root, where);
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(`${at} ${what}`);
  };
  if (typeof schema.$ref === "string") return of(pointed(root, schema.$ref), value);
  if (schema.type !== undefined) {
    const types = [schema.type].flat() as string[];
    expect(
      types.some((type) => is_type(value, type)),
      `is no ${types.join(" or ")}`,
    );
    if (wrong.length > 0) return wrong;
  }
  if (Array.isArray(schema.enum)) expect(schema.enum.includes(value), `is none of ${schema.enum.join(", ")}`);
  if (Array.isArray(schema.oneOf))
    expect(
      schema.oneOf.filter((part) => of(part, value).length === 0).length === 1,
      "matches not one of oneOf",
    );
  for (const part of (schema.allOf ?? []) as unknown[]) wrong.push(...of(part, value));
  if (schema.not !== undefined) expect(of(schema.not, value).length > 0, "matches what it must not");
  if (typeof value === "string") {
    if (typeof schema.pattern === "string")
      expect(new RegExp(schema.pattern).test(value), `doesn't match ${schema.pattern}`);
    expect(value.length >= Number(schema.minLength ?? 0), "is too short");
  }
  if (typeof value === "number") {
    expect(value >= Number(schema.minimum ?? -Infinity), "is too small");
    expect(value <= Number(schema.maximum ?? Infinity), "is too large");
  }
  if (Array.isArray(value)) {
    expect(value.length >= Number(schema.minItems ?? 0), "has too few items");
    const { items } = schema;
    for (const [index, one] of value.entries()) {
      const part: unknown = Array.isArray(items) ? items[index] : items;
      if (part !== undefined) wrong.push(...of(part, one, `${at}[${index}]`));
    }
  } else if (typeof value === "object" && value !== null) wrong.push(...object_breaks(value, schema, of, at));
  return wrong;
}

function object_breaks(
  value: object,
  schema: Schema,
  of: (part: unknown, one: unknown, where?: string) => string[],
  at: string,
): string[] {
  const properties = (schema.properties ?? {}) as Schema;
  const patterns = Object.entries((schema.patternProperties ?? {}) as Schema);
  const missing = ((schema.required ?? []) as string[]).filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${at} lacks ${name}`),
    ...Object.entries(value).flatMap(([name, one]) => {
      const parts = [
        ...(Object.hasOwn(properties, name) ? [properties[name]] : []),
        ...patterns.filter(([pattern]) => new RegExp(pattern).test(name)).map(([, part]) => part),
      ];
      const { additionalProperties: more } = schema;
      if (parts.length === 0 && more === false) return [`${at} has an unknown ${name}`];
      if (parts.length === 0 && typeof more === "object") return of(more, one, `${at}.${name}`);
      return parts.flatMap((part) => of(part, one, `${at}.${name}`));
    }),
  ];
}

function is_type(value: unknown, type: string): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function pointed(root: Schema, pointer: string): unknown {
  return pointer
    .replace(/^#\/?/, "")
    .split("/")
    .filter((name) => name !== "")
    .reduce<unknown>((at, name) => (at as Schema)[name], root);
}
