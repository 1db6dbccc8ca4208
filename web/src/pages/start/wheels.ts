// Where pip takes packages from: the Internet, or this broker if it has them.
import { server } from "../../state/session";
import { isOurCertificate } from "./terminal";

/** Whether the broker's wheelhouse has a project. */
export const hasHere = (project: string): boolean => server.value?.wheelhouse.includes(project) ?? false;

/** A line with `pip install`, by way of the broker if it has the project. */
export function fromHere(line: string, project = /pip install ([\w-]+)/.exec(line)?.[1] ?? ""): string {
  if (!hasHere(project)) return line;
  // pip takes nothing from an unencrypted page, or from one whose certificate it does not know, unless it is told to.
  const trusted = location.protocol === "http:" || isOurCertificate() ? ` --trusted-host ${location.hostname}` : "";
  return line.replace("pip install", `pip install --index-url ${location.origin}/wheels/${trusted}`);
}
