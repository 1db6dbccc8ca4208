import { PageHead } from "../parts/panel";

export default function Instructor() {
  return <PageHead title="Instructor" />;
}
