export async function getServerSideProps() {
  const settings = { theme: 'dark', token: process.env.GITHUB_TOKEN };
  return { props: { settings } }; // want "secret-to-client-prop"
}

export default function Home({ settings }: { settings: { theme: string } }) {
  return <p>{settings.theme}</p>;
}
