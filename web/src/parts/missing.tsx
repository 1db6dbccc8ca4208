import { server } from "../state/session";
import { Notice } from "./panel";

/** Whether the Kafka cluster is another's: it has users, addresses and counters of its own. */
export const isElsewhere = (): boolean => server.value?.cluster.kind === "external";

/** In place of what only a broker sees. */
export function Missing({ what }: { what: string }) {
  if (!isElsewhere()) return null;
  return <Notice mood="accent">{what} cannot be shown: the brokers of the Kafka cluster at <code class="break">{server.value?.cluster.address}</code> do not tell Headwater.</Notice>;
}
