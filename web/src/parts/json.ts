// JSON as it was written: numbers keep all of their digits, a key that stands there twice is there twice.

export type Json =
  | { kind: "object"; entries: [string, Json][] }
  | { kind: "array"; items: Json[] }
  | { kind: "string"; value: string }
  | { kind: "number" | "word"; text: string };

const DEEPEST = 200;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/** Null for what is no JSON, and for what is nested too deep to be drawn. */
export function parse(text: string): Json | null {
  let at = 0;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const sign = (wanted: string): boolean => {
    take(SPACE);
    if (text[at] !== wanted) return false;
    at += 1;
    return true;
  };
  const string = (): string => {
    take(SPACE);
    if (text[at] !== '"') throw new SyntaxError();
    // By hand: a pattern would keep a step to go back to for each letter of a long text.
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    const found = text.slice(at, end + 1);
    at = end + 1;
    return JSON.parse(found) as string;
  };
  const value = (depth: number): Json => {
    if (depth > DEEPEST) throw new SyntaxError();
    take(SPACE);
    const first = text[at];
    if (first === "{") {
      at += 1;
      const entries: [string, Json][] = [];
      if (sign("}")) return { kind: "object", entries };
      for (;;) {
        const name = string();
        if (!sign(":")) throw new SyntaxError();
        entries.push([name, value(depth + 1)]);
        if (sign("}")) return { kind: "object", entries };
        if (!sign(",")) throw new SyntaxError();
      }
    }
    if (first === "[") {
      at += 1;
      const items: Json[] = [];
      if (sign("]")) return { kind: "array", items };
      for (;;) {
        items.push(value(depth + 1));
        if (sign("]")) return { kind: "array", items };
        if (!sign(",")) throw new SyntaxError();
      }
    }
    if (first === '"') return { kind: "string", value: string() };
    const word = take(WORD);
    if (word !== null) return { kind: "word", text: word };
    const number = take(NUMBER);
    if (number !== null) return { kind: "number", text: number };
    throw new SyntaxError();
  };
  try {
    const found = value(0);
    take(SPACE);
    return at === text.length ? found : null;
  } catch {
    return null;
  }
}

/** Laid out over lines, two spaces a step, numbers as they were written. */
export function pretty(node: Json, indent = ""): string {
  const deeper = indent + "  ";
  if (node.kind === "string") return JSON.stringify(node.value);
  if (node.kind === "object") {
    if (node.entries.length === 0) return "{}";
    return `{\n${node.entries.map(([name, value]) => `${deeper}${JSON.stringify(name)}: ${pretty(value, deeper)}`).join(",\n")}\n${indent}}`;
  }
  if (node.kind === "array") {
    if (node.items.length === 0) return "[]";
    return `[\n${node.items.map((item) => deeper + pretty(item, deeper)).join(",\n")}\n${indent}]`;
  }
  return node.text;
}
