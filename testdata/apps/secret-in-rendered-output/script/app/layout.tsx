export default function Layout({ children }: { children: React.ReactNode }) {
  const env = JSON.stringify({ key: process.env.OPENAI_API_KEY });
  return (
    <html>
      <head>
        <script
          dangerouslySetInnerHTML={{ __html: `window.__ENV=${env}` }} // want "secret-in-rendered-output"
        />
      </head>
      <body>{children}</body>
    </html>
  );
}
