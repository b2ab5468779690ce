import { Price } from './price';
export default function Page() {
  return <Price n={3} />;
}
