import { Debug } from './debug';
export default function Page() {
  return <Debug />;
}
