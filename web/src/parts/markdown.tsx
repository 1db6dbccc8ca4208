// Markdown as our own texts use it, as elements: headings, paragraphs, lists, tables, code, quotes, links. HTML in it is text.
import type { ComponentChildren, JSX } from "preact";
import { useMemo } from "preact/hooks";
import { Code } from "./code";

interface Options {
  /** What `# ` becomes: 2 is a heading below the page's own. */
  level?: number;
  /** Headings can be gone to by the names that GitHub gives them. */
  anchors?: boolean;
  /** Where a link leads that is no web address; null: nowhere, its words stay. */
  link?: (href: string) => string | null;
  /** Where a picture is; null: its description stays. */
  picture?: (source: string) => string | null;
}

export function Markdown({ text, ...options }: Options & { text: string }) {
  const { level, anchors, link, picture } = options;
  const shown = useMemo(() => new Writer({ level, anchors, link, picture }).blocks(text.split(/\r\n|\n|\r/), 0), [text, level, anchors, link, picture]);
  return <div class="words">{shown}</div>;
}

/** One line of it: code, emphasis and links, no blocks. */
export function MarkdownLine({ text, link }: { text: string; link?: Options["link"] }) {
  return <>{new Writer({ link }).inline(text, 0)}</>;
}

/** The name of a heading within its page, as GitHub makes it. */
export function slug(heading: string): string {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
}

const DEPTH_MAX = 10;
/** Letters within the brackets of a link. */
const WORDS_MAX = 1000;
/** Code up to this length stays on one line, on a phone too. */
const SHORT = 28;
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])( +)(?=\S)/;
const PARTING = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const ANCHOR = /^<a (?:id|name)="([\w-]+)"><\/a>\s*$/;
const WEB = /^https?:\/\/[^\s<>"']+/;

const isBlank = (line: string | undefined) => line === undefined || line.trim() === "";
const indent = (line: string) => line.length - line.trimStart().length;
const isTable = (lines: string[], at: number) => lines[at]!.includes("|") && lines[at + 1]?.includes("|") === true && PARTING.test(lines[at + 1]!);

/** Whether a paragraph ends before this line. */
const interrupts = (lines: string[], at: number) => {
  const line = lines[at]!;
  const item = ITEM.exec(line);
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || isTable(lines, at) || (item !== null && (!/^\d/.test(item[2]!) || /^1[.)]/.test(item[2]!)));
};

function cells(line: string): string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

class Writer {
  private readonly taken = new Map<string, number>();

  constructor(private readonly options: Options) {}

  blocks(lines: string[], depth: number): ComponentChildren[] {
    const all: ComponentChildren[] = [];
    for (let at = 0; at < lines.length; ) {
      const [block, next] = this.block(lines, at, depth);
      if (block !== null) all.push(block);
      at = Math.max(next, at + 1);
    }
    return all;
  }

  /** The block that begins at a line, and where the next one begins. */
  private block(lines: string[], at: number, depth: number): [ComponentChildren, number] {
    const line = lines[at]!;
    if (isBlank(line)) return [null, at + 1];
    if (depth > DEPTH_MAX) return [<p>{lines.slice(at).join("\n")}</p>, lines.length];
    const fence = FENCE.exec(line);
    if (fence) return this.fenced(lines, at, fence[1]!);
    const heading = HEADING.exec(line);
    if (heading) return [this.heading(heading[1]!.length, heading[2]!), at + 1];
    if (RULE.test(line)) return [<hr />, at + 1];
    if (line.startsWith("<!--")) {
      const end = lines.findIndex((one, n) => n >= at && one.includes("-->"));
      return [null, end < 0 ? lines.length : end + 1];
    }
    const anchor = ANCHOR.exec(line);
    if (anchor) return [this.options.anchors ? <span id={anchor[1]} /> : null, at + 1];
    if (QUOTE.test(line)) {
      let end = at;
      while (end < lines.length && QUOTE.test(lines[end]!)) end += 1;
      return [<blockquote>{this.blocks(lines.slice(at, end).map((one) => one.replace(QUOTE, "")), depth + 1)}</blockquote>, end];
    }
    if (isTable(lines, at)) return this.table(lines, at);
    if (ITEM.test(line) && indent(line) < 4) return this.list(lines, at, depth);
    if (indent(line) >= 4) {
      let end = at;
      while (end < lines.length && (isBlank(lines[end]) || indent(lines[end]!) >= 4)) end += 1;
      return [<Code text={lines.slice(at, end).map((one) => one.slice(4)).join("\n").trimEnd()} label={this.label("Code")} />, end];
    }
    let end = at + 1;
    while (end < lines.length && !isBlank(lines[end]) && !interrupts(lines, end)) end += 1;
    return [<p>{this.inline(lines.slice(at, end).map((one) => one.trimStart()).join("\n").trimEnd(), 0)}</p>, end];
  }

  private fenced(lines: string[], at: number, mark: string): [ComponentChildren, number] {
    const margin = indent(lines[at]!);
    const end = lines.findIndex((one, n) => n > at && one.trim().startsWith(mark) && one.trim().replaceAll(mark[0]!, "") === "");
    const last = end < 0 ? lines.length : end;
    const text = lines.slice(at + 1, last).map((one) => one.slice(Math.min(margin, indent(one)))).join("\n");
    return [<Code text={text} label={this.label("Code")} />, last + 1];
  }

  private heading(depth: number, text: string): ComponentChildren {
    const Tag = `h${Math.min(6, depth - 1 + (this.options.level ?? 2))}` as "h2";
    return <Tag id={this.options.anchors ? this.name(text) : undefined}>{this.inline(text, 0)}</Tag>;
  }

  private name(text: string): string {
    const name = slug(text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    const before = this.taken.get(name) ?? 0;
    this.taken.set(name, before + 1);
    return before ? `${name}-${before}` : name;
  }

  private table(lines: string[], at: number): [ComponentChildren, number] {
    const sides = cells(lines[at + 1]!).map((cell) => (cell.endsWith(":") ? "number" : undefined));
    const heads = cells(lines[at]!);
    let end = at + 2;
    while (end < lines.length && lines[end]!.includes("|")) end += 1;
    const rows = lines.slice(at + 2, end).map(cells);
    // A column of nothing but pictures that are not here.
    const shown = heads.map((_, n) => n).filter((n) => rows.length === 0 || rows.some((row) => !this.isNothing(row[n] ?? "")));
    const table = (
      <div class="scroll" tabIndex={0} role="region" aria-label={this.label(`Table of ${heads.filter(Boolean).join(", ").replaceAll("`", "") || "facts"}`)}>
        <table>
          <thead><tr>{shown.map((n) => (heads[n] ? <th scope="col" class={sides[n]}>{this.inline(heads[n], 0)}</th> : <td />))}</tr></thead>
          <tbody>{rows.map((row) => <tr>{shown.map((n) => <td class={sides[n]}>{this.inline(row[n] ?? "", 0)}</td>)}</tr>)}</tbody>
        </table>
      </div>
    );
    return [table, end];
  }

  /** What has the same name twice is told apart by its number. */
  private label(words: string): string {
    const before = this.taken.get(` ${words}`) ?? 0;
    this.taken.set(` ${words}`, before + 1);
    return before ? `${words} (${before + 1})` : words;
  }

  private isNothing(cell: string): boolean {
    const picture = /^!\[\]\(([^()\s]*)\)$/.exec(cell);
    return cell === "" || (picture !== null && !this.options.picture?.(picture[1]!));
  }

  private list(lines: string[], first: number, depth: number): [ComponentChildren, number] {
    const start = ITEM.exec(lines[first]!)!;
    const ordered = /\d/.test(start[2]!);
    const items: ComponentChildren[] = [];
    let at = first;
    while (at < lines.length) {
      const mark = ITEM.exec(lines[at]!);
      if (!mark || mark[1]!.length > start[1]!.length + 1 || /\d/.test(mark[2]!) !== ordered || RULE.test(lines[at]!)) break;
      const margin = mark[0]!.length;
      let end = at + 1;
      while (end < lines.length) {
        const next = lines[end]!;
        if (isBlank(next)) {
          const after = lines.slice(end).find((one) => !isBlank(one));
          if (after === undefined || indent(after) < margin) break;
        } else if (indent(next) < margin && (isBlank(lines[end - 1]) || interrupts(lines, end) || ITEM.test(next))) break;
        end += 1;
      }
      const own = lines.slice(at, end).map((one, n) => one.slice(n === 0 ? margin : Math.min(margin, indent(one))));
      items.push(<li>{this.item(own, depth)}</li>);
      at = end;
      while (at < lines.length && isBlank(lines[at])) at += 1;
    }
    const from = Number.parseInt(start[2]!, 10);
    return [ordered ? <ol start={from === 1 ? undefined : from}>{items}</ol> : <ul>{items}</ul>, at];
  }

  /** The first paragraph of an item stands beside its mark. */
  private item(lines: string[], depth: number): ComponentChildren {
    let end = 1;
    if (interrupts(lines, 0)) return this.blocks(lines, depth + 1);
    while (end < lines.length && !isBlank(lines[end]) && !interrupts(lines, end)) end += 1;
    const words = this.inline(lines.slice(0, end).map((one) => one.trimStart()).join("\n").trimEnd(), 0);
    return [words, ...this.blocks(lines.slice(end), depth + 1)];
  }

  inline(text: string, depth: number): ComponentChildren[] {
    const all: ComponentChildren[] = [];
    let plain = "";
    const push = (what: ComponentChildren) => {
      if (plain) all.push(plain);
      plain = "";
      all.push(what);
    };
    for (let at = 0; at < text.length; ) {
      const found = depth > DEPTH_MAX ? null : this.special(text, at, depth);
      if (!found) {
        plain += text[at];
        at += 1;
        continue;
      }
      if (typeof found[0] === "string") plain += found[0];
      else push(found[0]);
      at = found[1];
    }
    if (plain) all.push(plain);
    return all;
  }

  /** What begins at a letter that is more than itself, and where the text goes on. */
  private special(text: string, at: number, depth: number): [ComponentChildren, number] | null {
    const letter = text[at]!;
    const rest = text.slice(at, at + 2);
    if (letter === "\\") {
      if (rest[1] === "\n") return [<br />, at + 2];
      return rest[1] !== undefined && /[!-/:-@[-`{-~]/.test(rest[1]) ? [rest[1], at + 2] : null;
    }
    if (letter === "\n") return [" ", at + 1];
    if (letter === " " && /^ {2,}\n/.test(text.slice(at, at + 40))) return [<br />, text.indexOf("\n", at) + 1];
    if (letter === "`") {
      const run = /^`+/.exec(text.slice(at))![0];
      const end = closing(text, at + run.length, run);
      if (end < 0) return [run, at + run.length];
      const inner = text.slice(at + run.length, end).replaceAll("\n", " ");
      const shown = /^ .*\S.* $/.test(inner) ? inner.slice(1, -1) : inner;
      return [<code class={shown.length <= SHORT ? "nowrap" : undefined}>{shown}</code>, end + run.length];
    }
    if (rest === "![" || letter === "[") return this.linked(text, at, rest === "![", depth);
    if (letter === "<") {
      const address = /^<(https?:\/\/[^\s<>"']+)>/.exec(text.slice(at, at + 400));
      return address ? [outside(address[1]!, address[1]!), at + address[0].length] : null;
    }
    if (letter === "h" && !/\w/.test(text[at - 1] ?? " ")) {
      const address = WEB.exec(text.slice(at, at + 400))?.[0].replace(/[.,;:!?)\]*_]+$/, "");
      return address ? [outside(address, address), at + address.length] : null;
    }
    if (letter === "*" || letter === "_") return this.stressed(text, at, rest === letter + letter ? rest : letter, depth);
    return null;
  }

  private stressed(text: string, at: number, mark: string, depth: number): [ComponentChildren, number] | null {
    const letter = mark[0]!;
    const from = at + mark.length;
    if (/\s/.test(text[from] ?? " ") || (letter === "_" && /\w/.test(text[at - 1] ?? " "))) return [mark, from];
    for (let end = from + 1; end < text.length; end += 1) {
      if (text[end] === "\\") end += 1;
      else if (text[end] === "`") {
        const run = /^`+/.exec(text.slice(end))![0];
        const close = closing(text, end + run.length, run);
        end = close < 0 ? end + run.length - 1 : close + run.length - 1;
      } else if (text.startsWith(mark, end) && !/\s/.test(text[end - 1]!)) {
        if (mark.length === 1 && text[end + 1] === letter) {
          end += 1;
          continue;
        }
        if (letter === "_" && /\w/.test(text[end + mark.length] ?? " ")) continue;
        const inner = this.inline(text.slice(from, end), depth + 1);
        return [mark.length === 2 ? <strong>{inner}</strong> : <em>{inner}</em>, end + mark.length];
      }
    }
    return [mark, from];
  }

  private linked(text: string, at: number, isPicture: boolean, depth: number): [ComponentChildren, number] | null {
    const from = at + (isPicture ? 2 : 1);
    let open = 1;
    let end = from;
    for (; end < text.length && open > 0 && end - from < WORDS_MAX; end += 1) {
      if (text[end] === "\\") end += 1;
      else if (text[end] === "[") open += 1;
      else if (text[end] === "]") open -= 1;
    }
    const target = open === 0 ? /^\(\s*<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\s*\)/.exec(text.slice(end, end + 600)) : null;
    if (!target) return null;
    const words = text.slice(from, end - 1);
    const next = end + target[0].length;
    if (isPicture) {
      const source = this.options.picture?.(target[1]!) ?? null;
      return [source ? <img src={source} alt={words} loading="lazy" /> : <em>{words}</em>, next];
    }
    const shown = this.inline(words, depth + 1);
    return [this.anchor(target[1]!, shown), next];
  }

  private anchor(href: string, shown: ComponentChildren): JSX.Element {
    if (WEB.test(href)) return outside(href, shown);
    const inside = this.options.link ? this.options.link(href) : ownPath(href);
    if (inside === null || ownPath(inside) === null) return <>{shown}</>;
    // What the broker serves beside the pages opens beside them.
    return <a href={inside} target={inside.startsWith("/schemas/") ? "_blank" : undefined}>{shown}</a>;
  }
}

/** Paths and anchors of this page only: whatever has a scheme or another host is none. */
function ownPath(href: string): string | null {
  return /^(?:\/(?![/\\])|#)[^\\\s]*$/.test(href) ? href : null;
}

function outside(href: string, shown: ComponentChildren): JSX.Element {
  return <a href={href} target="_blank" rel="noopener noreferrer">{shown}</a>;
}

/** Where a run of backticks of the same length is. */
function closing(text: string, from: number, run: string): number {
  for (let at = text.indexOf(run, from); at >= 0; at = text.indexOf(run, at + 1)) {
    const before = text[at - 1] === "`";
    const after = text[at + run.length] === "`";
    if (!before && !after) return at;
    while (text[at] === "`") at += 1;
  }
  return -1;
}
