// What one types to have the student's tool in a terminal, and to be oneself there.
import { isSingle, me, server } from "../../state/session";
import { code } from "./session";

export type System = "unix" | "windows";

export const python = (system: System): string => (system === "windows" ? "python" : "python3");

/** In Windows PowerShell `curl` alone is another program. */
const curl = (system: System) => `${system === "windows" ? "curl.exe" : "curl"} ${location.protocol === "https:" ? "-k " : ""}-O`;

/** This page came with the workshop's own certificate, which Python trusts only when it is given. */
export const isOurCertificate = () => location.protocol === "https:" && !!server.value?.ca_fingerprint && location.port === String(server.value.https_port);

/** The user that the tool logs in as: joining again would make somebody else. */
export const student = (): string | null => (me.value?.role === "student" ? me.value.user : null);

/** Fetches the tool and comes in. Logging in asks for the password, so nothing may stand behind it: it would be typed in. */
export function comeIn(system: System): string {
  const isAlone = isSingle();
  const user = student();
  const way = user ? `login ${user}` : `join ${me.value?.code ?? code.value ?? "WORKSHOP-CODE"}`;
  const ours = !isAlone && isOurCertificate();
  return [
    `${curl(system)} ${location.origin}/headwater.pyz`,
    ...(ours ? [`${curl(system)} ${location.origin}/ca.pem`] : []),
    ...(isAlone ? [] : [`${python(system)} headwater.pyz ${way} --server ${location.origin}${ours ? " --ca ca.pem" : ""}`]),
  ].join("\n");
}

/** Beside the lines of `comeIn`, for a student. */
export const WHY_LOGIN = "You have joined in the browser, so the tool logs in as you. It asks for your password. With join you would be somebody else.";
