import { useState } from "preact/hooks";
import { Problem } from "../../api/client";
import { Code } from "../../parts/code";
import { Field, useAct, Wrong } from "../../parts/form";
import { PageHead, Panel } from "../../parts/panel";
import { login, logout, me } from "../../state/session";

export function Login() {
  const [secret, setSecret] = useState("");
  const { busy, problem, act } = useAct();
  const go = (event: Event) => {
    event.preventDefault();
    void act(() => login("instructor", secret).catch((error) => {
      const problem = Problem.of(error);
      throw problem.status === 401 ? new Problem("this secret is wrong", "copy it whole, with its hyphens, from the terminal of the first start", 401) : problem;
    }));
  };
  return (
    <>
      <PageHead title="Instructor" />
      <div class="columns">
        <Panel title="Log in as the instructor" roomy>
          <form class="stack" onSubmit={go}>
            <p>User <code><strong>instructor</strong></code></p>
            <input type="text" name="username" autocomplete="username" value="instructor" readOnly hidden />
            <Field label="Secret">
              <input type="password" name="password" autocomplete="current-password" required value={secret} onInput={(event) => setSecret(event.currentTarget.value)} />
            </Field>
            <div class="row"><button type="submit" class="main" disabled={busy}>{busy ? "Logging in" : "Log in"}</button></div>
            <Wrong problem={problem} />
          </form>
        </Panel>
        <Panel title="Where the secret is">
          <p>The first start of <code>headwater serve --classroom</code> printed it once in its terminal, on the line <strong>Instructor</strong>: user <code>instructor</code> and a password. Only a fingerprint of it is kept, so nobody can look it up.</p>
          <p>Lost it? Stop the broker and start it with one more option; it prints a new one and keeps everything else.</p>
          <Code text="headwater serve --classroom --new-instructor-secret" label="A start with a new secret" />
        </Panel>
      </div>
    </>
  );
}

export function NotForStudents() {
  return (
    <>
      <PageHead title="Instructor" />
      <Panel title="This page is the instructor's">
        <p>You are here as <strong class="break">{me.value?.name ?? me.value?.id}</strong>, a student. What is yours is under <a href="/challenges">Challenges</a> and <a href="/report">Report</a>.</p>
        <p class="quiet">You are the instructor? Log out first, then log in with the instructor's secret. Keep the student's password if you want to come back.</p>
        <div><button type="button" onClick={() => void logout()}>Log out</button></div>
      </Panel>
    </>
  );
}
