import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { CopyButton } from "../../parts/code";
import { Notice, Panel } from "../../parts/panel";
import { keep } from "../../state/prefs";

export interface Question {
  ask: string;
  choices: string[];
  /** Which of them, from 0. */
  right: number;
  why: string;
}

/** Predict, run, compare, ask, check: three to four minutes. */
export interface Scene {
  id: string;
  title: string;
  /** What it is about, in one or two sentences. */
  about: string;
  predict: Question;
  /** Runs against the broker. `onRun` once there is something to compare with the prediction. */
  Run: ComponentType<{ onRun: () => void }>;
  prompt: string;
  quiz: Question;
}

const DONE = "headwater-tutorial";

export function done(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(DONE) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}

function Choices({ question, chosen, shown, name, onChoose }: { question: Question; chosen: number | null; shown: boolean; name: string; onChoose: (choice: number) => void }) {
  const mark = (choice: number) => (!shown ? "" : choice === question.right ? " ✓ right" : choice === chosen ? " ✗ your answer" : "");
  return (
    <fieldset class="choices">
      <legend>{question.ask}</legend>
      {question.choices.map((words, choice) => (
        <label key={words} class={shown && choice === question.right ? "right" : ""}>
          <input type="radio" name={name} checked={chosen === choice} disabled={shown} onChange={() => onChoose(choice)} />
          <span>{words}<strong>{mark(choice)}</strong></span>
        </label>
      ))}
    </fieldset>
  );
}

export function SceneView({ scene, next }: { scene: Scene; next: Scene | undefined }) {
  const [guess, setGuess] = useState<number | null>(null);
  const [ran, setRan] = useState(false);
  const [answer, setAnswer] = useState<number | null>(null);
  const { predict, quiz, Run } = scene;
  const finish = (choice: number) => {
    setAnswer(choice);
    keep(DONE, JSON.stringify([...new Set([...done(), scene.id])]));
  };
  return (
    <div class="stack">
      <p class="lead">{scene.about}</p>
      <Panel title="1. Predict" roomy>
        <Choices question={predict} chosen={guess} shown={ran} name="predict" onChoose={setGuess} />
      </Panel>
      <Panel title="2. Run it" roomy>
        {guess === null ? <p class="quiet">Choose above what you expect. Then it runs, on the broker that serves this page.</p> : <Run onRun={() => setRan(true)} />}
      </Panel>
      {ran && (
        <Panel title="3. Compare" roomy>
          <Notice mood={guess === predict.right ? "good" : "accent"}>
            <strong>{guess === predict.right ? "As you expected." : "Not what you expected."}</strong> {predict.why}
          </Notice>
        </Panel>
      )}
      {ran && (
        <Panel title="4. Ask an AI, and doubt it" roomy tools={<CopyButton text={scene.prompt} />}>
          <p class="prompt">{scene.prompt}</p>
          <p class="quiet small">Hold its answer against what you just saw. Where they differ, the broker is right.</p>
        </Panel>
      )}
      {ran && (
        <Panel title="5. Check yourself" roomy>
          <Choices question={quiz} chosen={answer} shown={answer !== null} name="quiz" onChoose={finish} />
          {answer !== null && <Notice mood={answer === quiz.right ? "good" : "accent"}>{quiz.why}</Notice>}
          {answer !== null && (
            <p>{next ? <a class="button" href={`/tutorial/${next.id}`}>Next: {next.title}</a> : <a class="button" href="/challenges">That was the last scene: to the challenges</a>}</p>
          )}
        </Panel>
      )}
    </div>
  );
}
