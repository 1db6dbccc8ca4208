// The key, the value and the headers of a record, as the API gives them.
import type { Content, LogRecord } from "../api/model";
import { line } from "./visible";
import { bytes as size } from "./words";

export function octets(content: Content): Uint8Array {
  if (content.kind !== "binary") return new TextEncoder().encode(content.text);
  try {
    return Uint8Array.from(atob(content.text), (sign) => sign.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

/** On one line; bytes as hexadecimal. */
export function short(content: Content, limit?: number): string {
  // Every event of the streams begins with the same two fields; what tells one from another comes after.
  if (content.kind === "json") return line(content.text.replace(/^\{"event_id":"[^"]*","schema_version":\d+,/, "{… "), limit);
  if (content.kind !== "binary") return line(content.text, limit);
  const first = [...octets(content).subarray(0, 24)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${size(content.bytes)} of binary: ${first}${content.bytes > 24 ? " …" : ""}`;
}

export const placeOf = (record: LogRecord): string => `${record.partition}:${record.offset}`;

/** A record as JSON to be pasted elsewhere. */
export function asJson(record: LogRecord): string {
  const plain = (content: Content | null) => (content === null ? null : content.kind === "binary" ? { base64: content.text } : content.text);
  const { partition, offset, timestamp_ms } = record;
  const headers = record.headers.map((header) => ({ name: header.name, value: plain(header.value) }));
  return JSON.stringify({ partition, offset, timestamp_ms, key: plain(record.key), value: plain(record.value), headers }, null, 2);
}
