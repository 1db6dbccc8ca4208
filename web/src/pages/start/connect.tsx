import { useEffect, useState } from "preact/hooks";
import { getText, Problem, withQuery } from "../../api/client";
import { Code, CopyButton } from "../../parts/code";
import { Field, Wrong } from "../../parts/form";
import type { Place } from "../../parts/place";
import { Tabs } from "../../parts/tabs";
import { keep } from "../../state/prefs";
import { keepPassword, me, password, server } from "../../state/session";
import { CLIENTS, fitting, listenerWords } from "./clients";
import { fromHere } from "./wheels";

interface Listener {
  name: string;
  protocol: string;
  host: string;
  port: number;
  mechanisms: string[];
}

function kept(): string | null {
  try {
    return localStorage.getItem("headwater-client");
  } catch {
    return null;
  }
}

export const addressOf = ({ host, port }: Listener): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Client and listener as chosen, here or in the address. */
export function useChoice(place: Place) {
  const listeners = (server.value?.listeners ?? []) as Listener[];
  const wanted = place.query.client ?? kept();
  const client = CLIENTS.find((one) => one.id === wanted) ?? CLIENTS[0]!;
  const listener = listeners.find((one) => one.name === place.query.listener) ?? listeners.find((one) => one.name === fitting(client.id, listeners));
  return { client, listener, listeners };
}

/** The text of a program; what was there stays until the next one is. */
function useProgram(client: string, listener: string | undefined) {
  const [program, setProgram] = useState<{ text: string; of: string } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  // A new password or another user makes another program.
  const user = me.value?.user;
  useEffect(() => {
    const stop = new AbortController();
    getText(withQuery("/api/settings", { client, listener }), stop.signal).then(
      (text) => {
        setProgram({ text, of: client });
        setProblem(null);
      },
      (error) => !stop.signal.aborted && setProblem(Problem.of(error)),
    );
    return () => stop.abort();
  }, [client, listener, user]);
  return { program, problem };
}

export function Program({ place }: { place: Place }) {
  const { client, listener, listeners } = useChoice(place);
  const { program, problem } = useProgram(client.id, listener?.name);
  const wantsPassword = program?.text.includes("{password}") ?? false;
  const text = program ? (password.value ? program.text.split("{password}").join(password.value) : program.text) : "";
  const choose = (id: string) => {
    keep("headwater-client", id);
    place.go({ client: id, listener: null });
  };
  return (
    <>
      <div class="clients"><Tabs label="Client" tabs={CLIENTS.map((one): [string, string] => [one.id, one.name])} chosen={client.id} onChoose={choose} /></div>
      {listeners.length > 1 && (
        <fieldset class="listeners">
          <legend class="small quiet">Listener: the door it goes through</legend>
          {listeners.map((one) => {
            const { title, words } = listenerWords(one.protocol);
            return (
              <label key={one.name} class={`option ${one.name === listener?.name ? "chosen" : ""}`}>
                <input type="radio" name="listener" checked={one.name === listener?.name} onChange={() => place.go({ client: client.id, listener: one.name })} />
                <span><strong>{title}</strong> <code>{addressOf(one)}</code><br /><span class="quiet small">{words} ({one.name}, {one.protocol})</span></span>
              </label>
            );
          })}
        </fieldset>
      )}
      {listener && <p class="copyable">Address (<code>bootstrap.servers</code>): <code class="strong">{addressOf(listener)}</code> <CopyButton text={addressOf(listener)} /></p>}
      {listener && /SSL/.test(listener.protocol) && <Certificate />}
      {wantsPassword && me.value?.role === "student" && !password.value && <PasswordField />}
      {wantsPassword && me.value?.role === "instructor" && !password.value && <p class="quiet small">Put the instructor's password in place of <code>{"{password}"}</code>.</p>}
      {client.install && <Install line={client.install} />}
      {problem && <Wrong problem={problem} />}
      {program && <Step words={`The program; it reads five records and ends. ${client.run ? `Save it as ${client.file}.` : ""}`}><Code text={text} file={client.file} label={`Program for ${client.name}`} /></Step>}
      {client.note && <p class="quiet small">{client.note}</p>}
    </>
  );
}

function Install({ line }: { line: string }) {
  const here = fromHere(line);
  const words = here === line ? "Install it, once:" : "Install it, once. It comes from this broker, not from the Internet:";
  return <Step words={words}><Code text={here} label="Install line" wraps /></Step>;
}

function Step({ words, children }: { words: string; children: preact.ComponentChildren }) {
  return <div class="stack tight"><p>{words}</p>{children}</div>;
}

/** For who has joined elsewhere: stays in this tab, and never goes to the broker. */
function PasswordField() {
  const [text, setText] = useState("");
  return (
    <form
      class="row top"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) keepPassword(text.trim());
      }}
    >
      <Field label="Your password" hint="Fills it into the program. It stays in this tab.">
        <input class="mono" type="password" autocomplete="current-password" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </Field>
      <button type="submit" class="beside-field">Fill in</button>
    </form>
  );
}

function Certificate() {
  const fingerprint = server.value?.ca_fingerprint as string | null | undefined;
  if (!fingerprint) return <p class="quiet small">Its certificate is one that your system trusts: nothing to download.</p>;
  return (
    <div class="stack tight">
      <p class="row"><a class="button" href="/ca.pem" download="headwater-ca.pem">Download the certificate file</a><span>as <code>headwater-ca.pem</code>, into the folder of the program.</span></p>
      <p class="quiet small break">SHA-256 fingerprint, to compare with the instructor's screen: <code>{fingerprint}</code></p>
    </div>
  );
}
