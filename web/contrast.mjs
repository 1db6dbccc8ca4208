// Writes the table of colours in DESIGN.md from the tokens in base.css; with --check it fails when the table is old or a contrast too low.
import { readFileSync, writeFileSync } from "node:fs";

const css = readFileSync(new URL("src/style/base.css", import.meta.url), "utf8");
const page = new URL("DESIGN.md", import.meta.url);
const tokens = new Map([...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [name, [light, dark]]));

// What stands on what, and the least contrast it needs (WCAG 2.2: 4.5 for text, 3 for edges of controls and lines of charts).
const PAIRS = [
  ["text", "panel", 4.5], ["text", "ground", 4.5], ["text", "sunk", 4.5], ["quiet", "panel", 4.5], ["quiet", "ground", 4.5], ["quiet", "sunk", 4.5],
  ["accent", "panel", 4.5], ["accent", "ground", 4.5], ["accent", "tint", 4.5], ["on-accent", "accent", 4.5], ["text", "tint", 4.5],
  ["good", "good-tint", 4.5], ["warn", "warn-tint", 4.5], ["bad", "bad-tint", 4.5], ["bad", "panel", 4.5],
  ["text", "good-tint", 4.5], ["text", "warn-tint", 4.5], ["text", "bad-tint", 4.5],
  ["edge", "panel", 3], ["series-1", "panel", 3], ["series-2", "panel", 3], ["series-3", "panel", 3], ["series-4", "panel", 3],
];

function luminance(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const wrong = [];
const rows = PAIRS.map(([front, back, least]) => {
  const figures = [0, 1].map((theme) => contrast(tokens.get(front)[theme], tokens.get(back)[theme]));
  if (figures.some((figure) => figure < least)) wrong.push(`${front} on ${back}: ${figures.map((figure) => figure.toFixed(2)).join(", ")} of at least ${least}`);
  return `| ${front} on ${back} | ${tokens.get(front).join(" / ")} | ${figures.map((figure) => figure.toFixed(1)).join(" / ")} | ${least} |`;
});
const table = ["| what | colour, light / dark | contrast | at least |", "|---|---|---|---|", ...rows].join("\n");
const text = readFileSync(page, "utf8");
const made = text.replace(/(<!-- contrast: [^>]*-->\n)[\s\S]*?(\n<!-- end of contrast -->)/, `$1${table}$2`);
if (process.argv.includes("--check")) {
  if (made !== text) wrong.push("DESIGN.md is older than base.css: run npm run contrast");
} else {
  writeFileSync(page, made);
}
for (const words of wrong) console.error(words);
process.exit(wrong.length ? 1 : 0);
