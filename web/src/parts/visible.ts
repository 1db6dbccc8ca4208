// Content as it can be shown: what a terminal or a browser would act on is written out instead.

/** Control characters, and those that turn the direction of what follows or hide themselves. */
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const NAMED: Record<string, string> = { "\n": "⏎", "\t": "⇥", "\r": "␍" };

const written = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** On one line, at most `limit` characters. */
export function line(text: string, limit = 400): string {
  const head = text.length > limit ? text.slice(0, limit) + "…" : text;
  return head.replace(HIDDEN, (sign) => NAMED[sign] ?? written(sign));
}

/** With its line ends and tabs. */
export function whole(text: string): string {
  return text.replace(HIDDEN, (sign) => (sign === "\n" || sign === "\t" ? sign : written(sign)));
}
