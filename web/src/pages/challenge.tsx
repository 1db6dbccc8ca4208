import { PageHead } from "../parts/panel";

export default function Challenge() {
  return <PageHead title="Challenge" />;
}
