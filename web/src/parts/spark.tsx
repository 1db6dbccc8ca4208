/** The course of a rate in the width of a word. */
export function Spark({ values, label }: { values: number[]; label: string }) {
  const top = Math.max(...values, 1e-9);
  const points = values.map((value, n) => `${n},${(20 - (18 * value) / top).toFixed(2)}`).join(" ");
  return (
    <svg class="spark" viewBox={`0 0 ${Math.max(values.length - 1, 1)} 22`} preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points} />
    </svg>
  );
}
