import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { FieldInfo } from "../../api/model";

/** A value as the filter's language takes it whole. */
export const exact = (value: string): string => `"${value.replace(/[\\"]/g, (sign) => `\\${sign}`)}"`;

/** These words mean the record itself; a dot in front says that a field of the value is meant. */
const OWN = /^(key|value|partition|offset|header\..*)$/;

/** A filter with one more condition. */
export function narrowed(filter: string, field: string, value: string): string {
  const more = `${OWN.test(field) ? "." : ""}${field}:${exact(value)}`;
  return filter.includes(more) ? filter : `${filter} ${more}`.trim();
}

/** An example comes as JSON. */
export function exampleOf(field: FieldInfo): string {
  if (field.example === null) return "";
  try {
    const value: unknown = JSON.parse(field.example);
    return typeof value === "string" ? value : field.example;
  } catch {
    return field.example;
  }
}

const GENERAL: [string, string][] = [
  ["purchase", "anywhere: in the key, the value or a header"],
  ["key:u-0042", "the key contains it"],
  ["partition:2 offset:>=100", "both: words next to each other must all hold"],
  ["header.trace:abc", "a header of this name contains it"],
  ["value:null", "tombstones"],
  ["key:null", "records without a key"],
];

function examples(fields: FieldInfo[]): [string, string][] {
  const made: [string, string][] = [];
  const choice = fields.find((field) => (field.values?.length ?? 0) > 1);
  const numbers = fields.filter((field) => /^(number|integer)/.test(field.type) && /^\d/.test(field.example ?? ""));
  const number = numbers.find((field) => field.type.startsWith("number")) ?? numbers.at(-1);
  const text = fields.find((field) => field.type === "string" && !field.values && exampleOf(field) !== "");
  const time = fields.find((field) => field.type === "time" && field.example !== null);
  if (choice) {
    made.push([`${choice.name}:${choice.values![0]}`, `${choice.name} contains it, in capitals or not`]);
    made.push([`-${choice.name}:${choice.values![0]}`, "a minus in front: not so"]);
  }
  if (number) made.push([`${number.name}:>${number.example}`, "greater; <, >= and <= work too"]);
  if (time) made.push([`${time.name}:>=${exampleOf(time)}`, "at this time or later; the zone may be left out, it is UTC then"]);
  if (text) made.push([`${text.name}:${exact(exampleOf(text))}`, "in quotes: exactly this"]);
  const optional = fields.find((field) => !field.required);
  if (optional) made.push([`${optional.name}:*`, "has this field"]);
  return made;
}

interface FilterProps {
  filter: string;
  fields: FieldInfo[];
  onFilter: (filter: string) => void;
}

export function FilterBar({ filter, fields, onFilter }: FilterProps) {
  const [text, setText] = useState(filter);
  const [help, setHelp] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => setText(filter), [filter]);
  const put = (words: string) => {
    setText(words);
    input.current?.focus();
  };
  const rows = [...examples(fields), ...GENERAL];
  return (
    <div class="stack tight">
      <form
        class="filter"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          onFilter(text.trim());
        }}
      >
        <label for={id} class="only-read">Filter</label>
        <input ref={input} id={id} class="mono" type="text" value={text} onInput={(event) => setText(event.currentTarget.value)} placeholder={`Filter: a word, or field:value${rows[0] ? `, as in ${rows[0][0]}` : ""}`} spellcheck={false} autocapitalize="none" autocomplete="off" />
        <button type="submit" class={text.trim() !== filter ? "main" : ""}>Filter</button>
        {filter && <button type="button" onClick={() => onFilter("")}>Clear</button>}
        <button type="button" aria-expanded={help} aria-controls={`${id}-help`} onClick={() => setHelp(!help)}>Help</button>
      </form>
      {help && (
        <div class="stack tight small help" id={`${id}-help`}>
          <p>Press one to try it. Words next to each other must all hold.</p>
          <table>
            <caption class="only-read">Examples of filters</caption>
            <tbody>
              {rows.map(([example, words]) => (
                <tr key={example}><td><button type="button" class="plain mono" onClick={() => put(example)} title="Put it into the filter">{example}</button></td><td>{words}</td></tr>
              ))}
            </tbody>
          </table>
          {fields.length > 0 && (
            <p class="row chips"><span class="quiet">Fields:</span>
              {fields.slice(0, 60).map((field) => (
                <button key={field.name} type="button" class="plain mono" title={field.meaning} onClick={() => put(`${text} ${field.name}:`.trimStart())}>{field.name}</button>
              ))}
            </p>
          )}
        </div>
      )}
    </div>
  );
}
