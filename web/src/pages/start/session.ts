// What this tab keeps for the student besides the password: the code, for the tool in a terminal.
import { signal } from "@preact/signals";

export { join, login } from "../../state/session";

export const code = signal<string | null>(sessionStorage.getItem("headwater-code"));

export function keepCode(words: string): void {
  code.value = words;
  sessionStorage.setItem("headwater-code", words);
}
