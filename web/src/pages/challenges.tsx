import { PageHead } from "../parts/panel";

export default function Challenges() {
  return <PageHead title="Challenges" />;
}
