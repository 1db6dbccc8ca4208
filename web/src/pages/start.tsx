import { PageHead } from "../parts/panel";

export default function Start() {
  return <PageHead title="Start" />;
}
