/** A value as a sentence shows it: on one line, without control characters, not longer than a line of a terminal. */
export function quoted(value: string): string {
  return escaped(JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value));
}

/** What came from outside can't move the cursor, colour the screen, turn the line around or begin one of its own. */
export function escaped(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
