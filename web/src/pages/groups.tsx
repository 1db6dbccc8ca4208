import { PageHead } from "../parts/panel";

export default function Groups() {
  return <PageHead title="Groups" />;
}
