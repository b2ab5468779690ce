export default function Page() {
  const shown = <b>{process.env.OPENAI_API_KEY}</b>; // want "secret-in-rendered-output"
  return <main title="x">{shown}</main>;
}
