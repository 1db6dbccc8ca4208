// Completion of a line: the verb first, then what the verb takes.
import type { Verb } from "../../api/model";

/** What can stand at a place, by the kind of the place: topics, groups, challenges. */
export type Known = Record<string, string[]>;

export interface Completion {
  /** The line as far as all candidates agree. */
  line: string;
  candidates: string[];
}

interface Word { text: string; start: number }

/** The words of a line with where each begins; quotes hold a word together. The last one is the word being typed, maybe empty. */
export function split(line: string): Word[] {
  const words: Word[] = [];
  let now: Word | null = null;
  let quote = "";
  [...line].reduce((at, letter) => {
    if (quote) {
      if (letter === quote) quote = "";
      else now!.text += letter;
    } else if (letter === " ") {
      if (now) words.push(now);
      now = null;
    } else {
      now ??= { text: "", start: at };
      if (letter === '"' || letter === "'") quote = letter;
      else now.text += letter;
    }
    return at + letter.length;
  }, 0);
  words.push(now ?? { text: "", start: line.length });
  return words;
}

/** What may follow an option of a verb, as its usage says it: `[--from end|start|OFFSET]`. */
function choices(usage: string, option: string): string[] {
  const at = usage.indexOf(option + " ");
  if (at < 0) return [];
  return usage.slice(at + option.length + 1).split(/[\]\s)]/)[0]!.split("|").filter((word) => /^[a-z]+$/.test(word));
}

const quoted = (word: string): string => (/[\s"']/.test(word) ? (word.includes('"') ? `'${word}'` : `"${word}"`) : word);

function candidates(words: Word[], verbs: Verb[], known: Known): string[] {
  const typed = words.at(-1)!.text;
  if (words.length === 1) return verbs.map((one) => one.verb);
  const verb = verbs.find((one) => one.verb === words[0]!.text);
  if (!verb) return [];
  const before = words.slice(1, -1).map((word) => word.text);
  if (typed.startsWith("-")) return verb.options.filter((one) => !before.includes(one));
  const last = before.at(-1);
  if (last?.startsWith("-")) return choices(verb.usage, last);
  const place = before.filter((word, n) => !word.startsWith("-") && !before[n - 1]?.startsWith("-")).length;
  const kind = verb.arguments[place] ?? "";
  return kind === "verb" ? verbs.map((one) => one.verb) : known[kind] ?? [];
}

function common(words: string[]): string {
  const [first = "", ...rest] = words;
  let length = first.length;
  for (const word of rest) while (!word.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}

/** `line` is what stands before the cursor. */
export function complete(line: string, verbs: Verb[], known: Known): Completion {
  const words = split(line.trimStart());
  const indent = line.length - line.trimStart().length;
  const typed = words.at(-1)!;
  const fitting = [...new Set(candidates(words, verbs, known))].filter((word) => word.startsWith(typed.text)).sort();
  const head = line.slice(0, indent + typed.start);
  if (fitting.length === 1) return { line: head + quoted(fitting[0]!) + " ", candidates: fitting };
  const agreed = common(fitting);
  return { line: agreed.length > typed.text.length ? head + agreed : line, candidates: fitting };
}

/** The line with one of the candidates taken. */
export function take(line: string, candidate: string): string {
  const trimmed = line.trimStart();
  return line.slice(0, line.length - trimmed.length + split(trimmed).at(-1)!.start) + quoted(candidate) + " ";
}
