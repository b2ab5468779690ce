export default function Page() {
  return (
    <main>
      <p>{process.env.OPENAI_API_KEY ? 'configured' : 'not configured'}</p>
      <p>{process.env.NEXT_PUBLIC_APP_NAME}</p>
      <p>{process.env.OPENAI_MODEL}</p>
    </main>
  );
}
