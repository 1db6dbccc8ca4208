import { useState } from "preact/hooks";
import { part, send, withQuery } from "../../api/client";
import { useGet } from "../../api/use";
import { CopyButton } from "../../parts/code";
import { Dialog, Field, useAct, Wrong } from "../../parts/form";
import { Empty, Notice, Tag } from "../../parts/panel";
import { Pairs, Table } from "../../parts/table";
import { Twice } from "../../parts/twice";
import { ago, plural } from "../../parts/words";
import { Mark } from "./board";
import { inWords, STATUSES, type ClassBoard, type ClassStudent, type RosterStudent, type Seen } from "./data";
import { Doom } from "./doom";
import { Troubles } from "./troubles";

function SeenOf({ user }: { user: string }) {
  const { data, problem } = useGet<Seen>(withQuery("/api/seen", { user }), 5000);
  if (!data) return <Wrong problem={problem} />;
  const sighting = data.users[0];
  if (!sighting) return <Empty>No client of <code>{user}</code> has come yet. It shows here as soon as one tries.</Empty>;
  return (
    <div class="stack tight">
      <p>
        <Tag mood={sighting.connections > 0 ? "good" : ""}>{sighting.connections > 0 ? "● connected" : "○ not connected"}</Tag>{" "}
        <code class="break">{user}</code> <span class="quiet">{plural(sighting.connections, "open connection")}</span>
      </p>
      <Table caption={`Clients of ${user}`} rows={[...sighting.clients].reverse()} id={(one) => JSON.stringify([one.software, one.version, one.client_id, one.listener])} shown={20}
        empty="No client has said what it is."
        columns={[
          { head: "Client", cell: (one) => <span class="break">{one.software || "says no name"} {one.version}</span> },
          { head: "client.id", cell: (one) => <code class="break">{one.client_id || "-"}</code> },
          { head: "Listener", cell: (one) => one.listener },
          { head: "Times", number: true, cell: (one) => one.times },
          { head: "Last", number: true, cell: (one) => ago(one.at_ms) },
        ]} />
      {sighting.troubles.length > 0 && <Troubles troubles={sighting.troubles} caption={`What went wrong for ${user}`} />}
    </div>
  );
}

function Rename({ student, onChanged }: { student: ClassStudent; onChanged: () => void }) {
  const [name, setName] = useState(student.name);
  const { busy, problem, act } = useAct();
  const go = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await send("PUT", `/api/students/${part(student.id)}`, { name });
      onChanged();
    });
  };
  return (
    <form class="stack tight" onSubmit={go}>
      <div class="row ends">
        <Field label="Name that is shown"><input value={name} required maxLength={200} onInput={(event) => setName(event.currentTarget.value)} /></Field>
        <button type="submit" disabled={busy || name === student.name}>Rename</button>
      </div>
      <Wrong problem={problem} />
    </form>
  );
}

function Passwords({ id }: { id: string }) {
  const [given, setGiven] = useState<{ user: string; password: string }[] | null>(null);
  const reissue = async () => setGiven(await send<{ user: string; password: string }[]>("POST", `/api/students/${part(id)}/password`));
  if (given) {
    return (
      <Notice mood="good">
        <div class="stack tight">
          <strong>Shown once. Give it to the student now.</strong>
          {given.map((one) => (
            <div class="row" key={one.user}>
              <code class="break">{one.user}</code> <code class="break"><strong>{one.password}</strong></code>
              <CopyButton text={one.password} label="Copy the password" />
            </div>
          ))}
          <div><button type="button" onClick={() => setGiven(null)}>Hide</button></div>
        </div>
      </Notice>
    );
  }
  return (
    <Twice label="New passwords" confirm="Make new ones" act={reissue}
      warning={<>The old passwords of this student end at once: open pages are logged out and clients must be told the new one.</>} />
  );
}

interface StudentProps {
  student: ClassStudent; board: ClassBoard; entry: RosterStudent | null;
  onClose: () => void; onChanged: () => void; onCell: (challenge: string) => void;
}

export function StudentDialog({ student, board, entry, onClose, onChanged, onCell }: StudentProps) {
  const users = entry?.users ?? [student.id];
  const remove = async () => {
    await send("DELETE", `/api/students/${part(student.id)}`);
    onClose();
    onChanged();
  };
  return (
    <Dialog title={student.name} onClose={onClose}>
      <div class="row works" role="group" aria-label="Challenges">
        {board.challenges.map((challenge) => {
          const status = student.challenges[challenge.id]?.status ?? "open";
          return (
            <button key={challenge.id} type="button" class={`work wide ${status}`} title={`${challenge.title}: ${STATUSES[status].name}`} onClick={() => onCell(challenge.id)}>
              {inWords(challenge.id)} <Mark status={status} /><span class="only-read">{STATUSES[status].name}</span>
            </button>
          );
        })}
      </div>
      <Pairs pairs={[
        ["Id", <code>{student.id}</code>],
        [users.length > 1 ? "Users" : "User", <code>{users.join(", ")}</code>],
        ["Topics begin with", <code>{entry?.prefix ?? `ws.${student.id}.`}</code>],
        ["Joined", entry ? ago(entry.joined) : "-"],
        ["Team mate joins with", entry?.invite ? <span class="row"><code>{entry.invite}</code><CopyButton text={entry.invite} /></span> : users.length > 1 ? "the team is complete" : "-"],
        ["Report", student.report_ms ? `handed in ${ago(student.report_ms)}` : "not handed in"],
      ]} />
      <div class="row">
        {users.map((user) => <a key={user} class="button" href={withQuery("/requests", { user })}>Requests{users.length > 1 ? ` of ${user}` : ""}</a>)}
        <a class="button" href={`/api/report?student=${part(student.id)}&format=html&rubric=on`} download={`report-${student.id}.html`}>Report as a file</a>
      </div>
      <section class="stack tight"><h3>What the broker saw of their clients</h3>{users.map((user) => <SeenOf key={user} user={user} />)}</section>
      <div class="columns">
        <section class="stack tight"><h3>Name</h3><Rename student={student} onChanged={onChanged} /></section>
        <section class="stack tight"><h3>Password lost</h3><Passwords id={student.id} /></section>
      </div>
      <section class="stack tight">
        <h3>Begin anew</h3>
        <p class="quiet small">Only this student's own topics and groups. What they have solved stays.</p>
        <Doom path={`/api/students/${part(student.id)}/reset`} label="Reset this student" confirm="Delete these" onDone={onChanged} />
      </section>
      <section class="stack tight">
        <h3>Remove</h3>
        <Twice label="Remove this student" confirm="Remove for good" act={remove}
          warning={<><strong class="break">Step 2 of 2. {student.name}</strong> goes with {plural(users.length, "user")}, passwords, topics, groups, progress and report. Nothing brings them back.</>} />
      </section>
    </Dialog>
  );
}
