import type { Prompt } from "../api/model";
import { CopyButton } from "./code";
import { docPath } from "./docs";
import { MarkdownLine } from "./markdown";

/** Questions for an AI tool, each with how to find out whether its answer is right. */
export function Prompts({ prompts }: { prompts: Prompt[] }) {
  return (
    <ul class="prompts">
      {prompts.map((prompt) => (
        <li key={prompt.ask}>
          <div class="row apart ask">
            <p class="grow">{prompt.ask}</p>
            <CopyButton text={prompt.ask} label="Copy" />
          </div>
          <p class="small quiet"><strong>Then verify:</strong> <MarkdownLine text={prompt.verify_by} link={docPath} /></p>
        </li>
      ))}
    </ul>
  );
}
