import { render } from "preact";
import "./style/base.css";
import "./style/tutorial.css";
import "./style/topics.css";
import "./style/groups.css";
import "./style/markdown.css";
import "./style/course.css";
import "./style/instructor.css";
import "./style/stage.css";
import { App } from "./app";
import { start } from "./state/live";
import { refresh } from "./state/session";

const place = document.getElementById("app")!;

async function begin(): Promise<void> {
  if (new URLSearchParams(location.search).get("view") === "stage") {
    const { Stage } = await import("./pages/stage");
    render(<Stage />, place);
  } else {
    render(<App />, place);
  }
  await refresh();
  start();
}

void begin();
