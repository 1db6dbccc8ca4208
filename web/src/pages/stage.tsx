export function Stage() {
  return <main><h1>Stage</h1></main>;
}
