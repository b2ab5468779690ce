import { label } from '../lib/secrets'; // want "server-module-in-client"

export default function Home() {
  return <p>{label}</p>;
}
