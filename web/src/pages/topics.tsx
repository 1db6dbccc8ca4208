import { PageHead } from "../parts/panel";

export default function Topics() {
  return <PageHead title="Topics" />;
}
