// docs/troubleshooting.md as cases that can be found by the text of an error.
export interface Case {
  id: string;
  title: string;
  body: string;
  /** What somebody sees. */
  errors: string[];
}

const ROW = /^\| `(.+)` \| \[.+\]\(#([\w-]+)\) \|$/gm;
const SECTION = /<a id="([\w-]+)"><\/a>\s+## (.+)\n([^]*?)(?=\n<a id="|$(?![^]))/g;

export function casesOf(text: string): Case[] {
  const errors = new Map<string, string[]>();
  for (const [, error, id] of text.matchAll(ROW)) errors.set(id!, [...(errors.get(id!) ?? []), error!.replaceAll("\\|", "|").replace(/^` | `$/g, "")]);
  return Array.from(text.matchAll(SECTION), ([, id, title, body]) => ({ id: id!, title: title!, body: body!.trim(), errors: errors.get(id!) ?? [] }));
}

export interface Found {
  one: Case;
  /** Those of its texts that fit. */
  errors: string[];
}

const plain = (text: string) => text.toLowerCase().replace(/\s+/g, " ").trim();
const wordsOf = (text: string) => text.split(/[^\p{L}\p{N}_.]+/u).filter((word) => word.length > 2);
/** `TopicAuthorizationFailedError`, `_ALL_BROKERS_DOWN`: nobody writes that by chance. */
const isName = (word: string) => word.length >= 9 && /[a-z][A-Z]|_/.test(word);

/** How well the text of an error fits what somebody typed or pasted; 0: not at all. */
function fit(error: string, typed: string, words: string[]): number {
  const known = plain(error);
  const fragments = known.split("...").map((one) => one.trim()).filter((one) => one.length > 4);
  if (fragments.length > 0 && fragments.every((one) => typed.includes(one))) return 1000 + known.length;
  if (typed.length > 2 && known.includes(typed)) return 500 + typed.length;
  const names = wordsOf(error).filter(isName).filter((name) => typed.includes(name.toLowerCase()));
  if (names.length > 0) return 200 + names.join("").length;
  return words.length > 0 && words.length < 8 && words.every((word) => known.includes(word)) ? 100 : 0;
}

export function find(cases: Case[], text: string): Found[] {
  const typed = plain(text);
  if (typed === "") return [];
  const words = wordsOf(typed);
  const scored = cases.map((one) => {
    const errors = one.errors.map((error) => ({ error, score: fit(error, typed, words) })).filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
    const about = plain(`${one.title} ${one.body}`);
    const inText = words.length > 0 && words.length < 8 && words.every((word) => about.includes(word)) ? 50 : 0;
    return { one, errors: errors.slice(0, 4).map(({ error }) => error), score: Math.max(errors[0]?.score ?? 0, inText) };
  });
  return scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score).slice(0, 8);
}
