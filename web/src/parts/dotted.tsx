/** A name such as `context.device.browser`, which breaks after a dot rather than in a word. */
export function Dotted({ name }: { name: string }) {
  const parts = name.split(".");
  return <code>{parts.map((part, at) => (at + 1 < parts.length ? <>{part}.<wbr /></> : part))}</code>;
}
