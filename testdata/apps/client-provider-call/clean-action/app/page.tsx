import { Chat } from './chat';

export default function Page() {
  return <Chat model="gpt-4.1-mini" />;
}
