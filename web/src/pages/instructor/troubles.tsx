import { Table } from "../../parts/table";
import { ago } from "../../parts/words";
import type { Trouble } from "./data";

/** What went wrong at the door, the newest first. */
export function Troubles({ troubles, caption, empty }: { troubles: (Trouble & { user?: string })[]; caption: string; empty?: string }) {
  const rows = [...troubles].sort((a, b) => b.at_ms - a.at_ms);
  const named = rows.some((one) => one.user !== undefined);
  return (
    <Table caption={caption} rows={rows} shown={50} empty={empty} id={(one) => JSON.stringify([one.user, one.from, one.listener, one.what])}
      columns={[
        { head: "Last", cell: (one) => <span class="nowrap">{ago(one.at_ms)}</span>, by: (one) => one.at_ms },
        ...(named ? [{ head: "Who", cell: (one: Trouble & { user?: string }) => <code class="break">{one.user ?? "a stranger"}</code>, by: (one: Trouble & { user?: string }) => one.user ?? "" }] : []),
        { head: "From", cell: (one) => <code>{one.from}</code>, by: (one) => one.from },
        { head: "Listener", cell: (one) => one.listener },
        { head: "What happened, and what to do", cell: (one) => <span class="trouble break"><strong>{one.what}</strong> <span class="quiet">{one.fix}</span></span> },
        { head: "Times", number: true, cell: (one) => one.times, by: (one) => one.times },
      ]} />
  );
}
