import './style.css';

export const metadata = { title: 'Claviger with Next.js', description: 'A Next.js app whose key is nowhere near it' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
