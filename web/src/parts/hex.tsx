import { useMemo, useState } from "preact/hooks";
import { bytes as size } from "./words";

const FIRST = 16 * 1024;

function rows(data: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const part = data.subarray(at, at + 16);
    let hex = "";
    let text = "";
    part.forEach((byte, n) => {
      hex += byte.toString(16).padStart(2, "0") + (n === 7 ? "  " : " ");
      text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
    });
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(49)} ${text}`);
  }
  return lines.join("\n");
}

/** Bytes by sixteen, with what of them is ASCII. */
export function Hex({ data }: { data: Uint8Array }) {
  const [all, setAll] = useState(false);
  const shown = all ? data : data.subarray(0, FIRST);
  const text = useMemo(() => rows(shown), [data, all]);
  return (
    <div class="stack tight">
      <div class="code"><pre tabIndex={0} role="region" aria-label="Bytes in hexadecimal">{text || "no bytes"}</pre></div>
      {data.length > shown.length && <p><button type="button" onClick={() => setAll(true)}>Show all {size(data.length)}</button></p>}
    </div>
  );
}
