/** The page with a row's figures in the place of its last ones, or where they belong. order: all rows. */
export function written(
  page: string,
  { name, text }: { name: string; text: string },
  order: readonly string[],
): string {
  const whole = /(<!-- brain -->\n)([^]*)(<!-- end of brain -->)/;
  const [, , inside = ""] = whole.exec(page) ?? [];
  if (!whole.test(page)) throw new Error("the page has lost its two markers of the brain");
  const sections = new Map(
    [...inside.matchAll(/<!-- row: (\S+) -->\n\n([^]*?)\n\n<!-- end of row -->/g)].map(
      ([, row = "", old = ""]) => [row, old],
    ),
  ).set(name, text);
  const all = order.flatMap((row) => {
    const section = sections.get(row);
    return section === undefined ? [] : [`<!-- row: ${row} -->\n\n${section}\n\n<!-- end of row -->\n`];
  });
  return page.replace(whole, (_, begin: string, __, end: string) => `${begin}\n${all.join("\n")}\n${end}`);
}
