import { useState } from "preact/hooks";
import { send } from "../../api/client";
import { CopyButton } from "../../parts/code";
import { Dialog, useAct, Wrong } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { Pairs } from "../../parts/table";
import { plural } from "../../parts/words";
import { keepPassword, me, password } from "../../state/session";
import type { ComponentChildren } from "preact";

/** Who a student is, and what is theirs. */
export function Identity() {
  const who = me.value!;
  const pairs: [ComponentChildren, ComponentChildren][] = [
    ["You are", <strong>{who.name}</strong>],
    ["User", <span class="row"><code>{who.user}</code><CopyButton text={who.user ?? ""} /></span>],
    ["Password", <Password />],
    ["Your topics begin with", <code class="break">{who.prefix}</code>],
    ["Your groups begin with", <code class="break">{who.group_prefix}</code>],
  ];
  if (who.team.length > 1) pairs.push(["Your team", who.team.join(", ")]);
  if (who.invite) pairs.push(["For your partner", <span class="row"><code>{who.invite}</code><CopyButton text={who.invite} /><span class="quiet small">Your partner types it below the workshop code.</span></span>]);
  return (
    <Panel title="Who you are" tools={<Tools />} roomy class="identity">
      {password.value && <Notice mood="warn"><strong>Write the password down now.</strong> Nobody can look it up later, not even the instructor. This tab shows it until you close it.</Notice>}
      <Pairs pairs={pairs} />
    </Panel>
  );
}

function Password() {
  if (password.value) return <span class="row"><code class="password">{password.value}</code><CopyButton text={password.value} /></span>;
  return <span class="quiet">Shown once, when you joined. Lost? Make a new one.</span>;
}

interface Doomed {
  confirm: string;
  what: string;
  topics: { name: string; records: number }[];
  groups: { id: string; members: number }[];
}
interface Erased {
  topics: string[];
  groups: string[];
  kept: string[];
}

function Tools() {
  const [open, setOpen] = useState<"password" | "reset" | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      <button type="button" onClick={() => setOpen("password")}>New password</button>
      <button type="button" onClick={() => setOpen("reset")}>Reset my work</button>
      {open === "password" && <NewPassword onClose={close} />}
      {open === "reset" && <Reset onClose={close} />}
    </>
  );
}

function NewPassword({ onClose }: { onClose: () => void }) {
  const { busy, problem, act } = useAct();
  const renew = () =>
    act(async () => {
      const made = await send<{ password: string }>("POST", "/api/me/password");
      keepPassword(made.password);
      onClose();
    });
  return (
    <Dialog title="Make a new password?" onClose={onClose}>
      <p>The old one ends at once: programs that still have it are refused, and other browsers are logged out. Your topics and your progress stay.</p>
      <Wrong problem={problem} />
      <div class="row end"><button type="button" onClick={onClose}>Keep the old one</button><button type="button" class="main" disabled={busy} onClick={() => void renew()}>Make a new password</button></div>
    </Dialog>
  );
}

/** Two steps: what goes, then that it goes. */
function Reset({ onClose }: { onClose: () => void }) {
  const [doomed, setDoomed] = useState<Doomed | null>(null);
  const [erased, setErased] = useState<Erased | null>(null);
  const { busy, problem, act } = useAct();
  const look = () => act(async () => setDoomed(await send<Doomed>("POST", "/api/me/reset")));
  const wipe = () =>
    act(async () => {
      setErased(await send<Erased>("POST", "/api/me/reset", { confirm: doomed?.confirm }));
    });
  const nothing = doomed && doomed.topics.length + doomed.groups.length === 0;
  return (
    <Dialog title="Reset my work" onClose={onClose}>
      {erased ? (
        <>
          <Notice mood="good">{plural(erased.topics.length, "topic")} and {plural(erased.groups.length, "group")} are gone.</Notice>
          {erased.kept.length > 0 && <Notice mood="warn">{erased.kept.join(", ")}: still in use by a program of yours. What it had committed is gone, and it goes on from the beginning.</Notice>}
          <div class="row end"><button type="button" class="main" onClick={onClose}>Close</button></div>
        </>
      ) : doomed ? (
        <>
          {nothing ? <p>You have no topics and no groups: there is nothing to reset.</p> : (
            <>
              <p>This goes for good. What you have solved stays, and nobody else loses anything.</p>
              <ul class="doomed">
                {doomed.topics.map((topic) => <li key={topic.name}><code class="break">{topic.name}</code> <span class="quiet">{plural(topic.records, "record")}</span></li>)}
                {doomed.groups.map((group) => <li key={group.id}>group <code class="break">{group.id}</code>{group.members > 0 && <span class="quiet"> in use: it loses what it has committed, and its programs begin anew</span>}</li>)}
              </ul>
            </>
          )}
          <Wrong problem={problem} />
          <div class="row end"><button type="button" onClick={onClose}>{nothing ? "Close" : "Keep it all"}</button>{!nothing && <button type="button" class="danger main" disabled={busy} onClick={() => void wipe()}>Delete all of this</button>}</div>
        </>
      ) : (
        <>
          <p>Your topics and groups are deleted, so that you can begin anew. First you see what that is.</p>
          <Wrong problem={problem} />
          <div class="row end"><button type="button" class="main" disabled={busy} onClick={() => void look()}>Show what goes</button></div>
        </>
      )}
    </Dialog>
  );
}
