import { useLocation } from "preact-iso";
import { useMemo, useState } from "preact/hooks";
import { withQuery } from "../api/client";
import type { RequestRow } from "../api/model";
import { useGet } from "../api/use";
import { Wrong } from "../parts/form";
import { Empty, PageHead, Panel, Tag } from "../parts/panel";
import { count, plural } from "../parts/words";
import { paused } from "../state/prefs";
import { isInstructor, isSingle } from "../state/session";
import { fold, type Fold } from "./requests/fold";
import { useHeld } from "./requests/held";
import { Request } from "./requests/row";

const ERRORS_SHOWN = 20;
const POLL_MS = 1500;

interface Person { id: string; name: string; users: string[] }

export default function Requests() {
  const { query, route } = useLocation();
  const watching = isInstructor() && !isSingle();
  const user = watching ? query.user ?? "" : "";
  const turn = (change: Record<string, string | null>) => route(withQuery("/requests", { ...query, ...change }), true);
  const { data, problem } = useGet<{ requests: RequestRow[]; kept: number }>(withQuery("/api/requests", { limit: 200, user }), POLL_MS);
  return (
    <>
      <PageHead title={user ? `Requests of ${user}` : watching ? "Everybody's requests" : "Your requests"}>
        {watching && <Who user={user} onTurn={(name) => route(withQuery("/requests", { user: name }), true)} />}
      </PageHead>
      <p class="lead">
        What {user ? `the clients of ${user}` : watching ? "all clients" : "your clients"} asked of the broker, in plain words: the last {count(data?.kept ?? 200)} requests. A client that “hangs” tells here what it does.
      </p>
      <Wrong problem={problem} />
      {data && <List all={data.requests} user={user} query={query} turn={turn} />}
    </>
  );
}

/** Whom the instructor looks at. */
function Who({ user, onTurn }: { user: string; onTurn: (name: string) => void }) {
  const { data } = useGet<{ students: Person[] }>("/api/students", 30_000);
  const users = data?.students.flatMap((one) => one.users.map((name) => ({ name, of: one.name || one.id }))) ?? [];
  return (
    <label class="row">
      <span class="quiet small">Whose</span>
      <select value={user} onChange={(event) => onTurn(event.currentTarget.value)}>
        <option value="">everybody's</option>
        {user && !users.some((one) => one.name === user) && <option value={user}>{user}</option>}
        {users.map((one) => <option key={one.name} value={one.name}>{one.of === one.name ? one.of : `${one.of} (${one.name})`}</option>)}
      </select>
    </label>
  );
}

interface ListProps { all: RequestRow[]; user: string; query: Record<string, string>; turn: (change: Record<string, string | null>) => void }

const names = (rows: RequestRow[], of: (row: RequestRow) => string, chosen: string): string[] => [...new Set([...rows.map(of), ...(chosen ? [chosen] : [])])].filter(Boolean).sort();

function List({ all, user, query, turn }: ListProps) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [allErrors, showAllErrors] = useState(false);
  const [focused, setFocused] = useState(false);
  const { rows, waiting, follow } = useHeld(all, open.size > 0 || focused);
  const client = query.client ?? "";
  const api = query.api ?? "";
  const errorsFirst = query.order !== "time";
  const found = useMemo(
    () => rows.filter((row) => (!client || row.client_id === client) && (!api || row.api === api)).sort((a, b) => b.id - a.id),
    [rows, client, api],
  );
  const failed = found.filter((row) => row.error);
  const wrong = fold(failed);
  const turnRow = (id: number) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const list = (some: Fold[], label: string) => (
    <ol class="requests" aria-label={label} onFocusCapture={(event) => setFocused((event.target as HTMLElement).matches(":focus-visible"))} onBlurCapture={() => setFocused(false)}>{some.map((one) => <Request key={one.id} fold={one} open={open.has(one.id)} onTurn={() => turnRow(one.id)} />)}</ol>
  );
  if (all.length === 0 && rows.length === 0) {
    return (
      <Panel>
        <Empty>
          {user
            ? <>No client of {user} has asked for anything since the broker started.</>
            : <>Nothing yet. Connect a client: <a href="/">Start here</a> has a block to paste for each. Its first requests (which versions, which topics, who leads them) are here within two seconds, and so is what goes wrong with them.</>}
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title={<span id="requests-top">{plural(found.length, "request")}{failed.length > 0 && <> <Tag mood="bad">▲ {plural(failed.length, "error")}</Tag></>}</span>}
      tools={
        <>
          <button type="button" aria-pressed={errorsFirst} onClick={() => turn({ order: errorsFirst ? "time" : null })}>Errors first</button>
          <select aria-label="Client" value={client} onChange={(event) => turn({ client: event.currentTarget.value })}>
            <option value="">all clients</option>
            {names(all, (row) => row.client_id, client).map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
          <select aria-label="Kind of request" value={api} onChange={(event) => turn({ api: event.currentTarget.value })}>
            <option value="">all kinds</option>
            {names(all, (row) => row.api, api).map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </>
      }
    >
      {waiting > 0 && !paused.value && (
        <div class="held"><button type="button" onClick={() => { setOpen(new Set()); follow(); window.scrollTo({ top: 0 }); }}>Show {waiting >= 200 ? "200 or more" : count(waiting)} newer</button><span class="quiet small">The list stands still while you read.</span></div>
      )}
      {found.length === 0 && <Empty>None of the last {count(all.length)} requests fits. <button type="button" onClick={() => turn({ client: null, api: null })}>Show all</button></Empty>}
      {errorsFirst && wrong.length > 0 && (
        <>
          <h3>Went wrong</h3>
          {list(allErrors ? wrong : wrong.slice(0, ERRORS_SHOWN), "Requests that went wrong")}
          {wrong.length > ERRORS_SHOWN && <span><button type="button" onClick={() => showAllErrors(!allErrors)}>{allErrors ? "Show fewer errors" : `Show all ${count(wrong.length)} errors`}</button></span>}
          {failed.length < found.length && <h3>Everything else</h3>}
        </>
      )}
      {list(fold(errorsFirst ? found.filter((row) => !row.error) : found), "Requests, newest first")}
    </Panel>
  );
}
