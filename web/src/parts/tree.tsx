import { useState } from "preact/hooks";
import type { Json } from "./json";
import { line } from "./visible";
import { plural } from "./words";

const SHOWN = 100;
const LONG = 600;

interface TreeProps {
  node: Json;
  /** Offered at each value: narrows the list down to the records that have it. */
  onFilter?: (path: string, value: string) => void;
}

/** A JSON value that opens and closes; what is inside of a closed one is not drawn. */
export function Tree({ node, onFilter }: TreeProps) {
  if (node.kind !== "object" && node.kind !== "array") return <div class="tree"><Leaf node={node} path="" /></div>;
  return <div class="tree"><Children node={node} path="" depth={0} onFilter={onFilter} /></div>;
}

interface Inner {
  path: string;
  depth: number;
  onFilter?: TreeProps["onFilter"];
}

type Branch = Extract<Json, { kind: "object" | "array" }>;

const children = (node: Branch): [string, Json][] =>
  node.kind === "object" ? node.entries : node.items.map((item, n): [string, Json] => [String(n), item]);

function Children({ node, path, depth, onFilter }: Inner & { node: Branch }) {
  const [limit, setLimit] = useState(SHOWN);
  const all = children(node);
  if (all.length === 0) return <span class="quiet">{node.kind === "object" ? "{}" : "[]"}</span>;
  return (
    <ul>
      {all.slice(0, limit).map(([name, value], n) => (
        <Entry key={n} name={name} node={value} depth={depth} path={node.kind === "array" ? path : path ? `${path}.${name}` : name} onFilter={onFilter} />
      ))}
      {all.length > limit && <li><button type="button" class="plain small" onClick={() => setLimit(limit + SHOWN * 5)}>Show more ({all.length - limit} left)</button></li>}
    </ul>
  );
}

function Entry({ name, node, path, depth, onFilter }: Inner & { name: string; node: Json }) {
  const [open, setOpen] = useState(depth < 2);
  if (node.kind !== "object" && node.kind !== "array") {
    return <li><span class="name">{line(name, 200)}</span>: <Leaf node={node} path={path} onFilter={onFilter} /></li>;
  }
  const size = children(node).length;
  return (
    <li>
      <button type="button" class="plain twig" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? "▾" : "▸"}</span> <span class="name">{line(name, 200)}</span>
        <span class="quiet">{node.kind === "object" ? `{${plural(size, "field")}}` : `[${plural(size, "item")}]`}</span>
      </button>
      {open && <Children node={node} path={path} depth={depth + 1} onFilter={onFilter} />}
    </li>
  );
}

/** Whether a filter can be made of it: a name that needs no quotes, a value that is not too long. */
const filterable = (path: string, text: string): boolean => /^[^\s:"-][^\s:"]*$/.test(path) && path.length <= 100 && text !== "" && text.length <= 200 && text !== "null";

function Leaf({ node, path, onFilter }: { node: Exclude<Json, Branch>; path: string; onFilter?: TreeProps["onFilter"] }) {
  const [all, setAll] = useState(false);
  const text = node.kind === "string" ? node.value : node.text;
  const long = text.length > LONG;
  return (
    <>
      <span class={`leaf ${node.kind}`}>{node.kind === "string" ? <bdi>"{line(text, all ? Infinity : LONG)}"</bdi> : text}</span>
      {long && <button type="button" class="plain small" onClick={() => setAll(!all)}>{all ? "Less" : "All of it"}</button>}
      {onFilter && filterable(path, text) && (
        <button type="button" class="plain only" aria-label={`Only records with this ${path}`} title="Only records with this value" onClick={() => onFilter(path, text)}>= filter</button>
      )}
    </>
  );
}
