import { PageHead } from "../parts/panel";

export default function Console() {
  return <PageHead title="Console" />;
}
