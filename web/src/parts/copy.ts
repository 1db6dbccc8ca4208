// The clipboard of a browser wants https or localhost; on a plain address in a classroom the old way has to do.
export async function copy(words: string): Promise<void> {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(words);
  const field = document.createElement("textarea");
  field.value = words;
  field.readOnly = true;
  field.className = "only-read";
  // Within an open dialog everything outside of it is inert.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  const before = document.activeElement;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!done) throw new Error("the browser refused");
}

/** Gives the browser a file to save. */
export function save(name: string, text: string, type = "text/plain"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
