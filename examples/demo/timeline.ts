// What is going on, for people: sentences as they come, and on a terminal two lanes below them that are drawn again and again.

const cells_max = 60;

/** What a contender is doing at one moment, worst last. */
export type Doing = "off" | "stands by" | "runs" | "is stopped";
const glyphs: Record<Doing, string> = { off: " ", "stands by": "·", runs: "█", "is stopped": "‖" };

export class Timeline {
  readonly #out: NodeJS.WriteStream;
  readonly #look: () => ReadonlyMap<string, Doing>;
  readonly #lanes = new Map<string, string>();
  readonly #began_ms = performance.now();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #now = "";

  /** look: what everybody does at the moment. */
  constructor(out: NodeJS.WriteStream, look: () => ReadonlyMap<string, Doing>) {
    this.#out = out;
    this.#look = look;
    this.#timer = setInterval(() => this.#tick(), 500);
  }

  /** What is being done now; on a terminal it stays below the lanes. */
  step(sentence: string): void {
    this.#now = sentence;
    this.#print(`${this.#stamp()}  ${this.#bold(sentence)}`);
  }
  /** What came of it. */
  tell(sentence: string): void {
    this.#print(`${this.#stamp()}    ${sentence}`);
  }
  end(): void {
    clearInterval(this.#timer);
    this.#now = "";
    this.#erase();
    if (this.#live) this.#draw();
  }

  get #live(): boolean {
    return this.#out.isTTY;
  }
  #stamp(): string {
    return `${((performance.now() - this.#began_ms) / 1000).toFixed(1).padStart(5)} s`;
  }
  #bold(text: string): string {
    return this.#live ? `\u001b[1m${text}\u001b[0m` : text;
  }
  #print(line: string): void {
    this.#erase();
    this.#out.write(`${line}\n`);
    if (this.#live) this.#draw();
  }
  #tick(): void {
    for (const [name, doing] of this.#look())
      this.#lanes.set(name, `${this.#lanes.get(name) ?? ""}${glyphs[doing]}`.slice(-cells_max));
    if (!this.#live) return;
    this.#erase();
    this.#draw();
  }
  #draw(): void {
    const lanes = [...this.#lanes].map(([name, cells]) => `      ${name}  ${cells}`);
    const legend = "         █ its store runs   · stands by   ‖ stopped   (a mark each half second)";
    const lines = ["", ...lanes, legend, ...(this.#now === "" ? [] : [`         now: ${this.#now}`])];
    const width = this.#out.columns;
    this.#out.write(lines.map((line) => `${line.slice(0, width - 1)}\n`).join(""));
    this.#drawn = lines.length;
  }
  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}
