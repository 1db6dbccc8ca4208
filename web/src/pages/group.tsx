import { PageHead } from "../parts/panel";

export default function Group() {
  return <PageHead title="Group" />;
}
