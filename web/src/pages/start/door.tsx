import { useState } from "preact/hooks";
import { Field, useAct, Wrong } from "../../parts/form";
import { PageHead, Panel } from "../../parts/panel";
import { Tabs } from "../../parts/tabs";
import { join, keepCode, login } from "./session";

/** The QR on the wall brings the code along, where no server and no log sees it. */
const brought = (): string => new URLSearchParams(location.hash.slice(1)).get("code") ?? "";

type Way = "code" | "login";

/** For nobody yet: joins, or logs in. */
export function Door() {
  const [way, setWay] = useState<Way>("code");
  return (
    <div class="door stack">
      <PageHead title="Join the workshop" />
      <p class="lead">Four streams of a small town run on this broker. You get a name, a password, and topics of your own; ten minutes from now your first program reads from the streams.</p>
      <Panel roomy>
        <Tabs label="How to come in" tabs={[["code", "I have a code"], ["login", "I have joined before"]]} chosen={way} onChoose={setWay} />
        {way === "code" ? <JoinForm /> : <LoginForm />}
      </Panel>
      <p class="quiet small">No name and no mail address is asked for: you are given a pseudonym. A browser that has joined stays logged in for 14 days.</p>
    </div>
  );
}

function JoinForm() {
  const [code, setCode] = useState(brought);
  const [invite, setInvite] = useState("");
  const { busy, problem, act } = useAct();
  const enter = () =>
    act(async () => {
      await join(code.trim(), invite.trim() || undefined);
      keepCode(code.trim());
      if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    });
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void enter();
      }}
    >
      <Field label="Workshop code" hint={brought() && code === brought() ? "It came with the link: just press Join." : "It is on the board or the instructor's screen, and looks like otter-4821."}>
        <input class="mono big" required autocomplete="off" autocapitalize="none" spellcheck={false} placeholder="otter-4821" value={code} onInput={(event) => setCode(event.currentTarget.value)} />
      </Field>
      <details>
        <summary>My partner has joined already</summary>
        <div class="inset">
          <Field label="Your partner's invitation" hint="It is on your partner's page, below the password. You get a password of your own, and share topics, groups and progress.">
            <input class="mono" autocomplete="off" autocapitalize="none" spellcheck={false} placeholder="quiet-otter:7F3K2M" value={invite} onInput={(event) => setInvite(event.currentTarget.value)} />
          </Field>
        </div>
      </details>
      <Wrong problem={problem} />
      <div class="row"><button type="submit" class="main" disabled={busy}>Join</button></div>
    </form>
  );
}

function LoginForm() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const { busy, problem, act } = useAct();
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void act(() => login(user.trim(), password.trim()));
      }}
    >
      <Field label="User" hint="For example quiet-otter. The instructor's is instructor.">
        <input class="mono" required autocomplete="username" autocapitalize="none" spellcheck={false} value={user} onInput={(event) => setUser(event.currentTarget.value)} />
      </Field>
      <Field label="Password" hint="Lost it? The instructor can give you a new one; your work stays.">
        <input class="mono" required type="password" autocomplete="current-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
      </Field>
      <Wrong problem={problem} />
      <div class="row"><button type="submit" class="main" disabled={busy}>Log in</button></div>
    </form>
  );
}
